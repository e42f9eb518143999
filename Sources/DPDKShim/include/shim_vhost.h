// librte_vhost: guests' rings.
#ifndef SLUICE_SHIM_VHOST_H
#define SLUICE_SHIM_VHOST_H

#include "shim_base.h"
#include <rte_vhost.h>

SLUICE_HOT uint16_t sluice_vhost_receive(int vid, uint16_t ring, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t count);
SLUICE_HOT uint16_t sluice_vhost_send(int vid, uint16_t ring, struct rte_mbuf **frames, uint16_t count);

/// Tells the guest not to kick for a queue pair: its ring from the guest is polled, and room in the other one is looked for when there is need.
SLUICE_HOT void sluice_vhost_silence(int vid, uint16_t pair);

/// Called on librte_vhost's own threads.
typedef struct {
    int (*connected)(int vid);
    int (*added)(int vid);
    void (*removed)(int vid);
    int (*ring_changed)(int vid, uint16_t ring, int enabled);
} sluice_vhost_callbacks;

/// Registers and starts a socket. `features_off` is a mask of virtio feature bits not to offer.
/// Returns 0 or a negative errno, with `failed_step` set.
int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step);
int sluice_vhost_close(const char *path);

static const uint64_t sluice_virtio_offload_features =
    (1ULL << 11) | (1ULL << 12) | (1ULL << 13) | (1ULL << 14); /* HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO */

#endif
