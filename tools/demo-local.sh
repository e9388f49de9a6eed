#!/bin/bash
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
#
# The part of tools/demo that makes two hosts in one daemon. It is read by tools/demo, and shares
# its variables.
# shellcheck disable=SC2154,SC2034

port=net_ring
mtu=5000

# Two engines on one thread, each the other's peer, joined by a ring in each direction.
make_hosts()
{
    mkdir "$run/both"
    start_daemon both env < <(both_config) ||
        { cat "$run/both.log" >&2; die "saddled did not start"; }
    cat <<END

    application                      application
        |                                |
    [ left ] ======= net_ring ======= [ right ]      one saddled; loss $loss %

END
}

both_config()
{
    cat <<END
socket: { path: $run/both/attach.sock, mode: 0600 }
ports:
  - { name: wire0, driver: net_ring, peer: wire1, mac: 02:00:00:00:00:01, mtu: $mtu,
      impair: { loss: $loss%, seed: 1 } }
  - { name: wire1, driver: net_ring, peer: wire0, mac: 02:00:00:00:00:02, mtu: $mtu,
      impair: { loss: $loss%, seed: 2 } }
engines:
  - name: left
    port: wire0
    addresses: [ 10.0.0.1, "fd00::1" ]
    peers: [ { name: right, address: 10.0.0.2, mac: 02:00:00:00:00:02 } ]
  - name: right
    port: wire1
    addresses: [ 10.0.0.2, "fd00::2" ]
    peers: [ { name: left, address: 10.0.0.1, mac: 02:00:00:00:00:01 } ]
groups:
  - { name: engines, mode: compacting, threads: 1, engines: [ left, right ] }
END
    more_config both
}

replace_daemons()
{
    replace_daemon both env
}

compare_with_tcp()
{
    measure tcp tcp
}

remove_hosts()
{
    :
}
