// librte_vhost: guests' rings.
#ifndef SLUICE_SHIM_VHOST_H
#define SLUICE_SHIM_VHOST_H

#include "shim_base.h"
#include <rte_vhost.h>

/// What is checked about a guest's ring before librte_vhost 22.11 uses it. The library trusts the number of buffers that the driver of a split ring claims to
/// have made available, and writes that many entries to a table that has one for each descriptor.
typedef struct {
    /// The driver's index of available buffers in the guest's memory; NULL if the ring is off or packed.
    const uint16_t *available;
    uint16_t size;
} sluice_ring;

/// What `sluice_vhost_receive` and `sluice_vhost_send` return if the ring's driver claims to have made more buffers available than the ring holds.
enum { SLUICE_RING_BROKEN = -1 };

/// Receives at most `count` frames, and no more than the ring holds. Returns how many, or SLUICE_RING_BROKEN.
SLUICE_HOT int sluice_vhost_receive(int vid, uint16_t ring, const sluice_ring *check, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t count);
/// Copies at most `count` frames to the guest. Returns how many, or SLUICE_RING_BROKEN.
SLUICE_HOT int sluice_vhost_send(int vid, uint16_t ring, const sluice_ring *check, struct rte_mbuf **frames, uint16_t count);

/// Sets what is checked about a ring from librte_vhost's present state; `on` is false if the ring is not to be checked. Called on librte_vhost's threads.
void sluice_ring_set(sluice_ring *check, int vid, uint16_t ring, bool on);

/// Tells the guest not to kick for a queue pair: the ring from the guest is polled, and the other one is checked for room when there are frames for it.
SLUICE_HOT void sluice_vhost_silence(int vid, uint16_t pair);

/// Callbacks, which are called on librte_vhost's own threads.
typedef struct {
    int (*connected)(int vid);
    int (*added)(int vid);
    void (*removed)(int vid);
    int (*ring_changed)(int vid, uint16_t ring, int enabled);
    /// The rings or the guest's memory may have moved to other addresses.
    void (*moved)(int vid);
    void (*disconnected)(int vid);
} sluice_vhost_callbacks;

/// From now on an access to guest memory that no longer exists (its file was shortened) reads and writes zeros instead of ending the process.
void sluice_guest_memory_watch(void);
/// Notes which memory a connected guest has now. A guest whose memory is not noted is not protected.
void sluice_guest_memory_set(int vid);
void sluice_guest_memory_forget(int vid);
/// Whether any memory of a guest was found to be missing.
bool sluice_guest_memory_lost(int vid);
/// Reads a 16-bit word of a guest's memory; returns `otherwise` if the memory is no longer mapped.
SLUICE_HOT uint16_t sluice_guest_read16(const uint16_t *address, uint16_t otherwise);

/// Registers and starts a socket. `features_off` is a mask of virtio feature bits not to offer.
/// Returns 0 or a negative errno, with `failed_step` set.
/// A connection that `callbacks.connected` refuses with a negative value is closed.
int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step);
int sluice_vhost_close(const char *path);

static const uint64_t sluice_virtio_offload_features =
    (1ULL << 11) | (1ULL << 12) | (1ULL << 13) | (1ULL << 14); /* HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO */

#endif
