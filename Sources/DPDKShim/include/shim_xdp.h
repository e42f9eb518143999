// What DPDK's AF_XDP driver (22.11) leaves behind when a device is closed: its sockets, which keep the interface's queues from whoever opens them
// next, and the buffers in their rings.
#ifndef SLUICE_SHIM_XDP_H
#define SLUICE_SHIM_XDP_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct sluice_xdp_rings;
/// Keeps sight of a socket's rings while its device is closed; `descriptors`: of its receive and transmit rings. NULL: it cannot.
struct sluice_xdp_rings *sluice_xdp_hold(int socket, uint16_t descriptors);
/// Afterwards: gives the buffers in them back to their pool and closes the socket.
void sluice_xdp_release(struct sluice_xdp_rings *rings, struct rte_mempool *pool);

#endif
