// librte_vhost: guests' rings.
#ifndef SLUICE_SHIM_VHOST_H
#define SLUICE_SHIM_VHOST_H

#include "shim_base.h"
#include <rte_vhost.h>

/// A piece of a guest's memory that is mapped here: the guest's address, the number of bytes, and where they are.
typedef struct {
    uint64_t start, length;
    void *host;
} sluice_guest_region;

/// Writes a guest's regions to `regions`, and returns their number, which is `most` at most.
unsigned sluice_guest_regions(int vid, sluice_guest_region *regions, unsigned most);

/// Where the parts of a ring are: 0 the descriptors, 1 what the driver writes, 2 what the device writes; NULL: they are not there yet.
static inline void *sluice_ring_part(const struct rte_vhost_vring *ring, int part) {
    /* The parts of split and packed rings share their fields. */
    return part == 0 ? (void *)ring->desc : part == 1 ? (void *)ring->avail : (void *)ring->used;
}

/// Tells a guest that buffers of its ring were used. The descriptor does not block.
SLUICE_HOT void sluice_guest_call(int descriptor);
/// Notes for a migration that memory of a guest was written, by the guest's addresses.
SLUICE_HOT void sluice_guest_log(int vid, uint64_t address, uint64_t length);

/// Callbacks, which are called on librte_vhost's own threads.
typedef struct {
    int (*connected)(int vid);
    int (*added)(int vid);
    void (*removed)(int vid);
    int (*ring_changed)(int vid, uint16_t ring, int enabled);
    /// A message is about to change rings or memory that loops may be using. `changed` follows when it has.
    void (*changing)(int vid);
    void (*changed)(int vid);
    /// The guest's network is to be told where the guest is. The MAC address is in the lower 48 bits, its first byte uppermost.
    void (*announce)(int vid, uint64_t mac);
    void (*disconnected)(int vid);
} sluice_vhost_callbacks;

/// From now on an access to guest memory that no longer exists (its file was shortened) reads and writes zeros instead of ending the process.
void sluice_guest_memory_watch(void);
/// Notes which memory a connected guest has now. A guest whose memory is not noted is not protected.
void sluice_guest_memory_set(int vid);
void sluice_guest_memory_forget(int vid);
/// Whether any memory of a guest was found to be missing.
bool sluice_guest_memory_lost(int vid);
/// Registers and starts a socket. `features_off` is a mask of virtio feature bits not to offer.
/// Returns 0 or a negative errno, with `failed_step` set.
/// A connection that `callbacks.connected` refuses with a negative value is closed.
int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step);
int sluice_vhost_close(const char *path);

static const uint64_t sluice_virtio_offload_features =
    (1ULL << 11) | (1ULL << 12) | (1ULL << 13) | (1ULL << 14); /* HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO */

#endif
