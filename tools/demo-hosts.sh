#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
#
# The part of tools/demo that makes two hosts out of network namespaces, with a cable between them
# and a daemon in each. It is read by tools/demo, and shares its variables.
# shellcheck disable=SC2154,SC2034

port=xdp
# Names of this run alone: another one may be under way.
left=saddle-left-$$
right=saddle-right-$$
left_address=10.85.0.1
right_address=10.85.0.2
as_user=()

remove_hosts()
{
    local space
    for space in "$left" "$right"; do
        [ ! -e "/run/netns/$space" ] || ip netns delete "$space"
    done
}

# make_space NAME ADDRESS
make_space()
{
    ip -n "$1" address add "$2/24" dev eth0
    ip -n "$1" link set lo up
    ip -n "$1" link set eth0 up
}

make_cable()
{
    local space
    for space in "$left" "$right"; do
        ip netns add "$space" || die "this machine refuses network namespaces: try --local" 2
    done
    ip -n "$left" link add eth0 mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$right" ||
        die "this machine refuses a veth: try --local" 2
    make_space "$left" "$left_address"
    make_space "$right" "$right_address"
}

# host_config NAME ADDRESS PEER PEER_ADDRESS SEED
host_config()
{
    local driver="driver: xdp, interface: eth0"
    [ "$port" = xdp ] ||
        driver="driver: ethdev, interface: eth0, device: \"net_af_packet0,iface=eth0\""
    cat <<END
socket: { path: $run/$1/attach.sock, mode: 0600 }
ports:
  - { name: eth, $driver, impair: { loss: $loss%, seed: $5 } }
engines:
  - name: $1
    port: eth
    addresses: [ $2 ]
    peers: [ { name: $3, address: $4 } ]
groups:
  - { name: engines, mode: spreading, threads: 1, engines: [ $1 ] }
END
    more_config "$1"
}

start_both()
{
    start_daemon left ip netns exec "$left" "${as_user[@]}" \
        < <(host_config left "$left_address" right "$right_address" 1) &&
        start_daemon right ip netns exec "$right" "${as_user[@]}" \
            < <(host_config right "$right_address" left "$left_address" 2)
}

replace_daemons()
{
    replace_daemon left ip netns exec "$left" "${as_user[@]}"
    replace_daemon right ip netns exec "$right" "${as_user[@]}"
}

draw()
{
    cat <<END

    application                                             application
        |                                                       |
     saddled [ eth0 $left_address ] ==== veth ==== [ $right_address eth0 ] saddled
    namespace left                                        namespace right

    port $port, MTU $mtu, loss $loss %

END
}

make_hosts()
{
    local host
    make_cable
    for host in left right; do
        mkdir "$run/$host"
    done
    if ! start_both; then
        echo "The kernel refuses XDP here, AF_PACKET stands in:"
        grep -h error: "$run"/*.log || true
        echo "It is polled, so that round trips are slow: there will be fewer of them."
        kill_daemons
        port=net_af_packet
        quickly=(--quick)
        start_both || {
            cat "$run"/*.log >&2
            die "saddled did not start"
        }
    fi
    draw
}

# The kernel's own transport on the same cable, without a daemon beside it: first as interfaces
# come, with checksums and segments left to the device, then with neither.
compare_with_tcp()
{
    local space where=(--address "$right_address"
        --space "/run/netns/$left" --space "/run/netns/$right")
    measure tcp tcp "${where[@]}"
    for space in "$left" "$right"; do
        ip netns exec "$space" ethtool -K eth0 tx off tso off gso off gro off >/dev/null
    done
    measure tcp_offloads_off tcp "${where[@]}"
}
