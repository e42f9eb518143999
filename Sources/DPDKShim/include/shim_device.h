// Ethernet devices: taps, NICs and virtual devices.
#ifndef SLUICE_SHIM_DEVICE_H
#define SLUICE_SHIM_DEVICE_H

#include "shim_base.h"
#include <rte_dev.h>
#include <rte_ethdev.h>

/// Receives a burst of at most `count` frames from a queue; returns how many.
SLUICE_HOT uint16_t sluice_device_receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count);
/// Hands at most `count` frames to a queue to be sent; returns how many it took. The others still belong to the caller.
SLUICE_HOT uint16_t sluice_device_send(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count);

/// What a device that cuts TCP segments by itself wants of the frames that are left to it.
typedef struct {
    bool is_offered;               ///< whether the device does so at all; nothing else counts if not
    bool header_checksum;          ///< IPv4 header checksums are asked for, too
    uint16_t most_parts;           ///< the most buffers of a frame
    uint16_t most_parts_at_once;   ///< the most buffers that one of the frames which leave is made of, 0: as many as you like
} sluice_segmentation;

/// The wishes for a device's configuration and, afterwards, what was granted.
typedef struct {
    uint16_t receive_queues;       ///< wanted, then granted
    uint16_t transmit_queues;      ///< wanted, then granted
    uint16_t receive_ring;         ///< descriptors wanted, 0 for the driver's choice
    uint16_t transmit_ring;
    uint16_t mtu;                  ///< wanted, then granted: less where the driver states that its frames are shorter
    bool checksum;                 ///< granted: the device finishes IPv4, TCP and UDP checksums
    bool multi_segment;            ///< granted: the device sends frames of several segments, and such as share another's bytes
    sluice_segmentation segmentation; ///< granted: what the device's hardware, or the kernel below it, segments
    bool joined;                   ///< wanted, then granted: TCP segments that the other side has left whole are received whole
    bool equal_queues;             ///< wanted: the driver demands as many transmit as receive queues
    int numa_node;                 ///< granted, -1 unknown
    const char *failed_step;       ///< the call that failed, when the result is not 0
} sluice_device_setup;

/// Configures and starts a probed device. Returns 0 or a negative errno, with `failed_step` set.
int sluice_device_start(uint16_t port, struct rte_mempool *pool, sluice_device_setup *setup);
/// Largest MTU that the driver says it carries.
uint16_t sluice_device_longest_mtu(uint16_t port);
/// Raises the MTU of a running device to `mtu`. This is for drivers that state a constant as their longest frame and send nothing longer than the MTU that
/// ethdev has recorded: it overwrites that record. Returns false if the record was not found; then nothing has changed.
bool sluice_device_lift_mtu(uint16_t port, uint16_t mtu);
/// Stops, closes and removes a device.
int sluice_device_remove(uint16_t port);
/// Probes a device given by a DPDK device string and returns its port number in `port`. Returns 0 or a negative errno (-EEXIST if the device already existed).
int sluice_device_probe(const char *devargs, uint16_t *port);
/// Has frames that a queue receives with unfinished TCP or UDP checksums marked as such, like those of guests: the kernel's virtual interfaces pass on such
/// frames, and DPDK's AF_PACKET and AF_XDP drivers do not say so. Must be called before any loop polls the queue. Returns NULL on failure.
const struct rte_eth_rxtx_callback *sluice_device_mark_unfinished(uint16_t port, uint16_t queue);
/// Has frames that a queue of a device with `joined` receives ask for what their sender has left to the switch: TCP segmentation, and unfinished checksums.
/// Must be called before any loop polls the queue. Frames that cannot ask for it are freed, and counted in `refused`. Returns NULL on failure.
const struct rte_eth_rxtx_callback *sluice_device_take_joined(uint16_t port, uint16_t queue, uint64_t *refused);
/// Does so with one frame. False if it cannot ask for that.
bool sluice_frame_take_joined(struct rte_mbuf *m);
/// Has a device look at a frame that is left to it to be segmented, and prepare it. The frame must be whole, and its headers writable. False if the device
/// cannot send it so; it can then still be cut in software.
SLUICE_HOT bool sluice_device_prepare_segments(uint16_t port, uint16_t queue, struct rte_mbuf *m, const sluice_segmentation *wanted);
/// Undoes either; no loop may poll the queue any more.
void sluice_device_unmark(uint16_t port, uint16_t queue, const struct rte_eth_rxtx_callback *mark);
/// Counts of frames that a device could not receive: `missed` for want of room or of a buffer, `errors` damaged ones. They never decrease.
void sluice_device_losses(uint16_t port, uint64_t *missed, uint64_t *errors);
/// Finds this process's sockets of an address family (AF_PACKET, AF_XDP). Returns how many were written to `sockets`, which has room for `most`.
unsigned sluice_sockets(int family, int *sockets, unsigned most);
/// Index of the interface that an AF_PACKET socket is bound to; 0 if there is none.
int sluice_packet_socket_interface(int socket);
/// Number of frames that an AF_PACKET socket had no room for since this was last called.
uint64_t sluice_packet_socket_missed(int socket);
/// Whether the link is up, and its speed in Mbit/s, 0 if that is unknown.
bool sluice_device_link(uint16_t port, uint32_t *megabits);
const char *sluice_device_driver(uint16_t port);
/// Has the driver give pause frames to the application instead of following them itself. False if it keeps them. A driver without flow control has nothing to do
/// with them.
bool sluice_device_pass_pauses(uint16_t port);

#endif
