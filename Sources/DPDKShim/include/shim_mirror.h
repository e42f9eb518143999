// Copies for mirrors.
#ifndef SLUICE_SHIM_MIRROR_H
#define SLUICE_SHIM_MIRROR_H

#include "shim_base.h"
#include <rte_mbuf.h>

/// A copy of a frame's first `length` bytes, 14 at least, in buffers that are nobody else's, as it would be on a wire: with its checksums finished, and with no requests
/// of devices. What cannot be finished, as headers do not hold what the frame's own request says, stays as it is. NULL: no buffer.
SLUICE_HOT struct rte_mbuf *sluice_frame_excerpt(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t length);
/// Whether less than an eighth of a pool is free, what cores have at hand not counted.
SLUICE_HOT bool sluice_pool_is_low(struct rte_mempool *pool);

#endif
