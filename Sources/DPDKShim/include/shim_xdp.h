// Cleans up what DPDK's AF_XDP driver (22.11) leaves behind when a device is closed: its sockets, which prevent others from opening the interface's queues, and
// the buffers in their rings.
#ifndef SLUICE_SHIM_XDP_H
#define SLUICE_SHIM_XDP_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct sluice_xdp_rings;
/// Maps a socket's rings before its device is closed, so that they can be emptied afterwards. `descriptors` is the size of its receive and transmit rings.
/// Returns NULL on failure.
struct sluice_xdp_rings *sluice_xdp_hold(int socket, uint16_t descriptors);
/// After the device was closed: returns the buffers in the rings to their pool and closes the socket.
void sluice_xdp_release(struct sluice_xdp_rings *rings, struct rte_mempool *pool);

#endif
