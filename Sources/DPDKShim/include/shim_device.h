// Ethernet devices (taps, NICs and their virtual kin).
#ifndef SLUICE_SHIM_DEVICE_H
#define SLUICE_SHIM_DEVICE_H

#include "shim_base.h"
#include <rte_dev.h>
#include <rte_ethdev.h>

SLUICE_HOT uint16_t sluice_device_receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count);
SLUICE_HOT uint16_t sluice_device_send(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count);

/// What configuring a device needs to know, and what came of it.
typedef struct {
    uint16_t receive_queues;       ///< wanted, then granted
    uint16_t transmit_queues;      ///< wanted, then granted
    uint16_t receive_ring;         ///< descriptors wanted, 0 for the driver's choice
    uint16_t transmit_ring;
    uint16_t mtu;                  ///< wanted, then granted: less where the driver states that its frames are shorter
    bool checksum;                 ///< granted: the device finishes IPv4, TCP and UDP checksums
    bool multi_segment;            ///< granted: the device sends frames of several segments, and such as share another's bytes
    bool equal_queues;             ///< wanted: the driver demands as many transmit as receive queues
    int numa_node;                 ///< granted, -1 unknown
    const char *failed_step;       ///< the call that failed, when the result is not 0
} sluice_device_setup;

/// Configures and starts a probed device. Returns 0 or a negative errno, with `failed_step` set.
int sluice_device_start(uint16_t port, struct rte_mempool *pool, sluice_device_setup *setup);
/// Largest MTU that the driver says it carries.
uint16_t sluice_device_longest_mtu(uint16_t port);
/// Has a running device of a driver that states a constant for its longest frame, and sends nothing longer than ethdev's record of its MTU, send frames
/// of up to `mtu`. False: the record was not found, and nothing has changed.
bool sluice_device_lift_mtu(uint16_t port, uint16_t mtu);
/// Stops, closes and removes a device.
int sluice_device_remove(uint16_t port);
/// Probes a device string and gives its port number. Returns 0, or a negative errno (-EEXIST when it was there before).
int sluice_device_probe(const char *devargs, uint16_t *port);
/// Has each TCP and UDP frame that a queue receives with an unfinished checksum say so, as one of a guest's does: the kernel's virtual interfaces pass
/// such frames on, and DPDK's AF_PACKET and AF_XDP drivers do not tell. Before any loop polls the queue. NULL: it cannot.
const struct rte_eth_rxtx_callback *sluice_device_mark_unfinished(uint16_t port, uint16_t queue);
/// Takes that back, when no loop polls the queue any more.
void sluice_device_unmark(uint16_t port, uint16_t queue, const struct rte_eth_rxtx_callback *mark);
/// Frames that a device could not receive: for want of room or of a buffer, and damaged ones. They only grow.
void sluice_device_losses(uint16_t port, uint64_t *missed, uint64_t *errors);
/// This process's sockets of an address family (AF_PACKET, AF_XDP). Returns how many, `most` at the most.
unsigned sluice_sockets(int family, int *sockets, unsigned most);
/// Index of the interface that an AF_PACKET socket is bound to, 0 for none; and the frames it had no room for since it was last asked.
int sluice_packet_socket_interface(int socket);
uint64_t sluice_packet_socket_missed(int socket);
bool sluice_device_link(uint16_t port, uint32_t *megabits);
const char *sluice_device_driver(uint16_t port);

#endif
