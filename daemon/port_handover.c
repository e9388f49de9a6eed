/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_handover.h"

#include "daemon/port_ethdev_handover.h"
#include "daemon/port_memif.h"
#include "daemon/port_tap.h"
#include "daemon/port_xdp.h"

#include <string.h>

const struct port_handover_ops *port_handover_of(const struct port *port)
{
    static const struct port_handover_ops *const all[] = {&port_xdp_handover, &port_tap_handover,
                                                          &port_memif_handover,
                                                          &port_ethdev_handover};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!strcmp(port->ops->driver, all[i]->driver))
            return all[i];
    }
    return NULL;
}
