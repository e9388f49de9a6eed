#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""saddle-bench ring, in short runs: every figure is there, every message arrived and was compared,
what cannot be had is named, and however it ends nothing is left. How long anything took is not
looked at.

    two applications in one thread ---- saddle-bench ---- its saddled

usage: ring_bench_test.py SADDLED SADDLE_BENCH
"""
import json
import os
import pathlib
import shutil
import signal
import sys
import xml.etree.ElementTree

import benches
import harness
from benches import check_spread
from harness import expect, expect_equal

SADDLED, BENCH = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
SADDLE = ["rtt_us", "rtt_p99_us", "rtt_waiting_us", "rtt_waiting_p99_us", "messages_per_s",
          "reads_per_s", "indirect_reads_per_s", "batch_reads_per_s", "scan_reads_per_s",
          "writes_per_s", "compare_swaps_per_s", "fetch_adds_per_s", "messages_per_s_16_streams",
          "retained_16_streams", "connections_per_s", "open_us", "open_p99_us", "close_us",
          "close_p99_us", "gbps_1_mib", "gbps_per_core_1_mib", "gbps_16_mib",
          "gbps_per_core_16_mib", "reads_gbps", "reads_gbps_per_core", "writes_gbps",
          "writes_gbps_per_core", "messages_per_s_100_sessions", "messages_per_s_10k_connections",
          "retained_100_sessions", "retained_10k_connections", "gbps", "gbps_per_core",
          "gbps_spreading", "gbps_per_core_spreading", "gbps_compacting",
          "gbps_per_core_compacting", "idle_core_percent", "idle_core_percent_compacting",
          "idle_connection_bytes"]
TCP = ["tcp_rtt_us", "tcp_rtt_p99_us", "tcp_rtt_waiting_us", "tcp_rtt_waiting_p99_us", "tcp_gbps",
       "tcp_gbps_per_core", "rtt_vs_tcp_polling", "rtt_vs_tcp", "rtt_waiting_vs_tcp",
       "gbps_per_core_vs_tcp", "gbps_per_core_spreading_vs_tcp",
       "gbps_per_core_compacting_vs_tcp"]
# By the kernel's clock, which moves every 10 ms: one may be 0, or unknown, in a short run.
MACHINE = ["gbps_per_core_machine", "tcp_gbps_per_core_machine"]
FLOOR = ["floor_rtt_us", "floor_gbps_per_core", "floor_once_gbps_per_core",
         "floor_steps_per_s", "floor_steps_fastest_per_s",
         "floor_gbps_per_core_vs_tcp", "floor_once_gbps_per_core_vs_tcp"]
# By io_uring, which a kernel may refuse, and a build may leave out.
URING = ["tcp_uring_rtt_us", "tcp_uring_gbps_per_core"]
# By programs of others, which are there if a test puts them there.
UCX_RATES = ["ucx_messages_per_s", "ucx_reads_per_s", "ucx_writes_per_s",
             "ucx_compare_swaps_per_s", "ucx_fetch_adds_per_s", "ucx_tcp_messages_per_s",
             "ucx_tcp_reads_per_s", "ucx_tcp_writes_per_s"]
UCX_GBPS = ["ucx_gbps", "ucx_tcp_gbps"]
PEERS = ["ucx_rtt_us", "ucx_tcp_rtt_us", *UCX_RATES, *UCX_GBPS,
         *(f"{name}_per_core" for name in UCX_GBPS), "libfabric_shm_rtt_us",
         "libfabric_tcp_rtt_us", "libfabric_shm_gbps", "libfabric_tcp_gbps", "rtt_vs_ucx_posix",
         "floor_rtt_vs_ucx_posix"]
AROUND = ["ring", "machine", "settings", "sweep", "checked", "not_measured"]
CASES = ["rtt", "messages", "reads", "reads/indirect", "reads/batch", "reads/scan", "writes",
         "swaps", "adds", "messages/16-streams", "connections", "connections/one", "bulk/1MiB",
         "bulk/16MiB", "bulk/reads", "bulk/writes", "messages/100-sessions",
         "messages/10k-connections", "bulk/dedicated", "rtt/waiting", "bulk/spreading",
         "idle/spreading", "bulk/compacting", "idle/compacting", "idle/connections", "tcp/rtt",
         "tcp/rtt/waiting", "tcp/bulk", "floor/rtt", "floor/bulk", "floor/bulk/once",
         "floor/steps"]
SILENT = ["floor/steps"]  # nothing is sent or copied in it
URING_CASES = ["tcp/uring/rtt", "tcp/uring/bulk"]
PEER_CASES = {
    **{f"ucx/{what}": "ucx_perftest" for what in (
        "rtt", "messages", "reads", "writes", "swaps", "adds", "bulk")},
    **{f"ucx/tcp/{what}": "ucx_perftest" for what in (
        "rtt", "messages", "reads", "writes", "bulk")},
    **{f"libfabric/{provider}/{what}": "fi_pingpong"
       for provider in ("shm", "tcp") for what in ("rtt", "bulk")}}
IDLE_CONNECTIONS = 20000
UCX_TESTS = ["tag_lat", "tag_bw", "ucp_get", "ucp_put_bw", "ucp_cswap", "ucp_fadd"]
# What takes the place of others' programs here. Their servers end when they are told to.
PERFTEST = """\
#!/bin/sh
case "$1/$UCX_TLS" in
-h/*) exit 1;;
-p/*) exec sleep 1000;;
*/posix) latency={latency};;
*/tcp) latency=8.0;;
*) exit 1;;
esac
case " {tests} " in
*" $5 "*) ;;
*) echo "no test $5"; exit 1;;
esac
echo iterations,50.0_percentile_lat,avg_lat,overall_mr
echo "1000,$latency,2.0,25000"
"""
PINGPONG = """\
#!/bin/sh
case "$2/$4/$9" in
*/-B) {server};;
shm/rdm/-P) latency={latency};;
tcp/msg/-P) latency=3.5;;
*) exit 1;;
esac
[ "$latency" ] || {{ echo "no such provider"; exit 1; }}
echo "bytes   #sent   #ack     total       time     MB/sec    usec/xfer   Mxfers/sec"
echo "64      1k      =1k      125k        0.01s     17.66       $latency       0.28"
"""
PATIENCE_S = 10 * harness.PATIENCE_S  # for ten thousand connections, on a machine with more to do


class Place(benches.Place):
    """Where one run keeps its files, and by which its processes are told."""
    patience_s = PATIENCE_S

    def __init__(self):
        super().__init__(0o711)
        self.own = self.path / "own"
        self.own.mkdir()
        # All the programs there are: those of others are there if a test puts them there.
        self.programs = self.path / "programs"
        self.programs.mkdir()
        for name in ("env", "sh", "sleep"):
            (self.programs / name).symlink_to(shutil.which(name))

    def offer(self, name, text):
        program = self.programs / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)

    def offer_perftest(self, latency):
        self.offer("ucx_perftest", PERFTEST.format(latency=latency, tests=" ".join(UCX_TESTS)))

    def offer_pingpong(self, latency, server="exec sleep 1000"):
        self.offer("fi_pingpong", PINGPONG.format(latency=latency, server=server))

    def start(self, *arguments, saddled=SADDLED):
        return self.launch([BENCH, "ring", "--saddled", saddled, *arguments],
                           PATH=str(self.programs))


def check_document(made):
    """All of it was measured, and each message was right."""
    expect_equal(sorted(made),
                 sorted([*SADDLE, *TCP, *FLOOR, *MACHINE, *URING, *PEERS, *AROUND]), "keys")
    expect_equal(made["ring"], 1, "the form's version")
    refused = [name for name in URING_CASES if name in made["not_measured"]]
    expect(refused in ([], URING_CASES), f"half of io_uring: {refused}")
    for name in refused:
        expect("uring" in made["not_measured"][name], f"{made['not_measured']}")
    for name in SADDLE + TCP + FLOOR + (URING if not refused else []):
        expect(made[name] is not None, f"{name} is null")
        check_spread(made[name], name)
    cases = CASES + (URING_CASES if not refused else [])
    expect_equal(sorted(made["checked"]), sorted(cases), "cases")
    for name in cases:
        expect((made["checked"][name] > 0) == (name not in SILENT),
               f"compared in {name}: {made['checked'][name]}")
    expect(made["floor_steps_per_s"]["max"] <= made["floor_steps_fastest_per_s"]["max"],
           "slower than the mean")
    # Every one of them has had a message at least, or they are not what was measured.
    expect(made["checked"]["messages/100-sessions"] >= 100, "idle sessions")
    expect(made["checked"]["idle/connections"] > IDLE_CONNECTIONS, "connections without a message")


def test_all_of_it():
    with Place() as at:
        document = at.path / "ring.json"
        status, out, errors = at.run("--quick", "--json", document)
        expect_equal((status, errors), (0, ""), "a quick run")
        made = json.loads(document.read_text(encoding="utf-8"))
    check_document(made)
    for name in PEERS:
        expect_equal(made[name], None, name)
    for name, program in PEER_CASES.items():
        expect(made["not_measured"][name].startswith(f"{program} is not installed"),
               f"{made['not_measured']}")
        expect(f"\n{name} " in out, f"no word of {name}:\n{out}")
    for name in SADDLE + TCP + FLOOR + URING + PEERS:
        expect(f"\n{name} " in out, f"{name} is not in the table:\n{out}")


def test_ucx():
    """What its program says is of one way."""
    with Place() as at:
        at.offer_perftest("0.75")
        status, out, errors = at.run("--quick", "--json", "-", "--case", "rtt", "--case", "ucx/*")
    expect_equal((status, errors), (0, ""), "with UCX")
    made = json.loads(out)
    expect_equal(made["ucx_rtt_us"], {"median": 1.5, "min": 1.5, "max": 1.5, "runs": 1}, "UCX")
    expect_equal(made["ucx_tcp_rtt_us"], {"median": 16, "min": 16, "max": 16, "runs": 1}, "TCP")
    for name in UCX_RATES:
        expect_equal(made[name] and made[name]["median"], 25000, name)
    for name in UCX_GBPS:  # of 64 KiB, by two processes that spin
        expect_equal((made[name]["median"], made[f"{name}_per_core"]["median"]),
                     (13.1072, 6.5536), name)
    check_spread(made["rtt_vs_ucx_posix"], "beside UCX")
    expect_equal((made["rtt_vs_tcp_polling"], made["not_measured"]), (None, {}), "the rest")


def test_ucx_says_something_else():
    with Place() as at:
        at.offer_perftest("fast")
        status, out, errors = at.run("--quick", "--json", "-", "--case", "rtt", "--case", "ucx/rtt")
    expect_equal((status, errors), (0, ""), "with another UCX")
    made = json.loads(out)
    expect_equal((made["ucx_rtt_us"], made["rtt_vs_ucx_posix"]), (None, None), "UCX")
    expect("something else" in made["not_measured"]["ucx/rtt"], f"{made['not_measured']}")
    check_spread(made["rtt_us"], "round trips")


def test_libfabric():
    """What its program says is of one way."""
    with Place() as at:
        at.offer_pingpong("0.25")
        status, out, errors = at.run("--quick", "--json", "-", "--case", "libfabric/*")
    expect_equal((status, errors), (0, ""), "with libfabric")
    made = json.loads(out)
    expect_equal([made[f"libfabric_{way}_rtt_us"]["median"] for way in ("shm", "tcp")], [0.5, 7],
                 "libfabric")
    expect_equal(made["libfabric_tcp_gbps"]["median"], 149.797, "64 KiB in 3.5 us")
    expect_equal(made["not_measured"], {}, "what is missing")


def test_libfabric_without_shm():
    """The reason is what the client says; nobody waits for a server that has ended."""
    with Place() as at:
        at.offer_pingpong("", server="exit 1")
        status, out, errors = at.run("--quick", "--json", "-", "--case", "libfabric/shm/rtt")
    expect_equal((status, errors), (0, ""), "without a provider")
    made = json.loads(out)
    expect_equal(made["libfabric_shm_rtt_us"], None, "libfabric")
    expect("no such provider" in made["not_measured"]["libfabric/shm/rtt"],
           f"{made['not_measured']}")


def trips(one):
    """Whether it is round trips that this one of a sweep is of."""
    return "rtt_us" in one


def test_sweep():
    """Messages inside an entry, beside it, of several packets, and those that need a buffer."""
    sizes = [8, 65, 16384, 16385, 1048576]
    with Place() as at:
        status, out, errors = at.run(
            "--quick", "--runs", "2", "--json", "-", "--windows", "1,512", "--case", "size/*",
            "--sizes", ",".join(str(size) for size in sizes), "--svg", at.path / "sweep.svg")
        expect_equal((status, errors), (0, ""), "a sweep")
        root = xml.etree.ElementTree.parse(at.path / "sweep.svg").getroot()
    expect_equal(len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))),
                 2 * len({1, 64, 512}) + len(sizes) + 1, "lines that were drawn")
    made = json.loads(out)
    narrow = {1048576: 64}
    expect_equal([(one["bytes"], one["window"], trips(one)) for one in made["sweep"]],
                 [(size, window, there_and_back) for size in sizes for window, there_and_back
                  in ((1, True), (1, False), (narrow.get(size, 512), False))], "the sweep")
    for one in made["sweep"]:
        names = ["rtt_us", "rtt_p99_us"] if trips(one) else ["messages_per_s", "gbps"]
        expect_equal(sorted(one), sorted(["bytes", "window", *names]), f"{one}")
        check_spread(one[names[0]], f"{one}", 2)
        case = f"size/{one['bytes']}/" + ("rtt" if trips(one) else f"window/{one['window']}")
        expect(made["checked"][case] > 0, f"nothing was compared: {one}")


def test_batches_sessions_and_flows():
    with Place() as at:
        status, out, errors = at.run("--quick", "--json", "-", "--batches", "1,256",
                                     "--sessions", "3", "--flows", "1,8", "--case", "batch/*",
                                     "--case", "sessions/*", "--case", "flows/*")
    expect_equal((status, errors), (0, ""), "sweeps")
    made = json.loads(out)
    expect_equal([(one["window"], one.get("batch"), one.get("sessions"), one.get("flows"))
                  for one in made["sweep"]],
                 [(256, 1, None, None), (256, 256, None, None), (85, None, 3, None),
                  (256, None, None, 1), (256, None, None, 8)], "the sweeps")
    for one in made["sweep"]:
        check_spread(one["messages_per_s"], f"{one}")
    for name in ("batch/1", "batch/256", "sessions/3", "flows/1", "flows/8"):
        expect(made["checked"][name] > 0, f"nothing was compared in {name}")


def test_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Place() as at:
            at.start("--seconds", "600", "--case", "messages")
            # Itself, the daemon, and the applications.
            harness.await_true(lambda: len(at.processes()) >= 3 or at.process.poll() is not None,
                               "a case under way")
            at.process.send_signal(number)
            _, errors = at.process.communicate(timeout=harness.PATIENCE_S)
            expect_equal((at.process.returncode, errors), (1, "saddle-bench: interrupted\n"),
                         "after an interrupt")
            at.check_clean()


def test_daemon_does_not_start():
    with Place() as at:
        status, out, errors = at.run("--quick", "--json", at.path / "ring.json",
                                     saddled=at.path / "nothing")
        expect_equal((status, out), (1, ""), "without a daemon")
        expect(errors.startswith("saddle-bench: rtt/waiting: saddled did not start: "),
               f"errors: {errors}")
        expect_equal(len(errors.splitlines()), 1, "lines")
        expect(not (at.path / "ring.json").exists(), "a document without figures")


def test_list():
    status, out, errors = harness.run([BENCH, "ring", "--list"])
    expect_equal((status, errors), (0, ""), "the list")
    expect_equal(sorted(out.split()), sorted([*CASES, *URING_CASES, *PEER_CASES]), "cases")
    _, out, _ = harness.run([BENCH, "ring", "--list", "--windows", "7", "--case", "size/*"])
    expect_equal(out.split(), ["size/64/rtt", "size/64/window/7"], "cases of a sweep")


def test_usage():
    for arguments, word in ((["--sedonds", "1"], "sedonds"), (["more"], "'more'"),
                            (["--seconds", "0"], "'0'"), (["--seconds", "nan"], "'nan'"),
                            (["--runs", "0"], "'0'"), (["--runs", "1,2"], "'1,2'"),
                            (["--runs", "100"], "'100'"), (["--sizes", "7"], "'7'"),
                            (["--sizes", "64,16777217"], "'16777217'"), (["--sizes", ""], "''"),
                            (["--windows", "1,x"], "'x'"), (["--windows", "513"], "'513'"),
                            (["--batches", "257"], "'257'"), (["--sessions", "0"], "'0'"),
                            (["--flows", "9"], "'9'"),
                            (["--case", "no/such"], "'no/such'"), (["--json"], "json"),
                            (["--svg", "a.svg"], "--sizes"),
                            (["--sizes", "8", "--svg", "-", "--json", "-"], "both")):
        status, out, errors = harness.run([BENCH, "ring", *arguments])
        expect_equal((status, out), (2, ""), f"status for {arguments}")
        expect_equal(len(errors.splitlines()), 1, f"lines for {arguments}: {errors}")
        expect(word in errors, f"{arguments}: {errors}")
    status, out, errors = harness.run([BENCH, "ring", "--json", "/nowhere/at/all"])
    expect_equal((status, out), (1, ""), "a wrong path")
    expect("/nowhere/at/all: No such file or directory" in errors, errors)


if len(os.sched_getaffinity(0)) < 2:
    sys.exit(harness.LEFT_OUT)
harness.main([test_all_of_it, test_ucx, test_ucx_says_something_else, test_libfabric,
              test_libfabric_without_shm, test_sweep, test_batches_sessions_and_flows,
              test_interrupted, test_daemon_does_not_start, test_list, test_usage])
