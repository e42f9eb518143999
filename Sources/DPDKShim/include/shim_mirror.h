// Copies of frames for mirrors.
#ifndef SLUICE_SHIM_MIRROR_H
#define SLUICE_SHIM_MIRROR_H

#include "shim_base.h"
#include <rte_mbuf.h>

/// Copies the first `length` bytes of a frame (at least 14) to buffers that nobody else shares, as the frame would look on the wire: with finished checksums
/// and without offload requests. Checksums that cannot be finished, because the headers contradict the offload request, stay as they are. Returns NULL if there
/// is no buffer.
SLUICE_HOT struct rte_mbuf *sluice_frame_excerpt(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t length);
/// Whether less than an eighth of a pool is free, not counting the buffers in the per-lcore caches.
SLUICE_HOT bool sluice_pool_is_low(struct rte_mempool *pool);

#endif
