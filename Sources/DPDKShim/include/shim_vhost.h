// librte_vhost: guests' rings.
#ifndef SLUICE_SHIM_VHOST_H
#define SLUICE_SHIM_VHOST_H

#include "shim_base.h"
#include <rte_vhost.h>

/// A guest's ring as it is checked before librte_vhost 22.11 looks at it, which takes whatever a split ring's driver says it made available, and then
/// writes a table of one place for each descriptor without a bound.
typedef struct {
    /// The driver's count of buffers it made available; NULL for a ring that is off or packed.
    const uint16_t *available;
    uint16_t size;
} sluice_ring;

/// What `sluice_vhost_receive` and `sluice_vhost_send` return for a ring whose driver says that it made more buffers available than the ring holds.
enum { SLUICE_RING_BROKEN = -1 };

/// Takes at most `count` frames, and no more than the ring holds. Returns how many, or SLUICE_RING_BROKEN.
SLUICE_HOT int sluice_vhost_receive(int vid, uint16_t ring, const sluice_ring *check, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t count);
/// Copies at most `count` frames to the guest. Returns how many, or SLUICE_RING_BROKEN.
SLUICE_HOT int sluice_vhost_send(int vid, uint16_t ring, const sluice_ring *check, struct rte_mbuf **frames, uint16_t count);

/// Sets what is checked of a ring from what librte_vhost has now; `on` is false where nothing is to be looked at. Called on librte_vhost's threads.
void sluice_ring_set(sluice_ring *check, int vid, uint16_t ring, bool on);

/// Tells the guest not to kick for a queue pair: its ring from the guest is polled, and room in the other one is looked for when there is need.
SLUICE_HOT void sluice_vhost_silence(int vid, uint16_t pair);

/// Called on librte_vhost's own threads.
typedef struct {
    int (*connected)(int vid);
    int (*added)(int vid);
    void (*removed)(int vid);
    int (*ring_changed)(int vid, uint16_t ring, int enabled);
    /// The rings or the memory may be elsewhere now.
    void (*moved)(int vid);
    void (*disconnected)(int vid);
} sluice_vhost_callbacks;

/// From now on an access to a guest's memory that is no longer there (its file was shortened) reads and writes zeros instead of ending the process.
void sluice_guest_memory_watch(void);
/// Notes what memory a connected guest has now; a guest whose memory is not noted is not protected.
void sluice_guest_memory_set(int vid);
void sluice_guest_memory_forget(int vid);
/// Whether memory of a guest was found gone.
bool sluice_guest_memory_lost(int vid);
/// Reads a word of a guest's memory; `otherwise` if it is not mapped any more.
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
