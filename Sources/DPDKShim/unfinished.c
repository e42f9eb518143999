#include <rte_config.h>
#include "DPDKShim.h"
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* Marks a frame whose checksum is unfinished. It is recognised by the sum of the pseudo-header, which the sender leaves in the checksum's field for a
 * device to complete (include/linux/skbuff.h, CHECKSUM_PARTIAL). If a finished checksum happens to be the same number, completing it again gives that number
 * again. */
static void mark(struct rte_mbuf *m) {
    const uint32_t there = m->data_len;
    const char *bytes = rte_pktmbuf_mtod(m, const char *);
    uint32_t l2 = sizeof(struct rte_ether_hdr);
    if (there < l2 + sizeof(struct rte_ipv4_hdr)) return;
    uint16_t type = ((const struct rte_ether_hdr *)bytes)->ether_type;
    for (int tags = 0; tags < 2 && (type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ)); tags++) {
        type = ((const struct rte_vlan_hdr *)(bytes + l2))->eth_proto;
        l2 += sizeof(struct rte_vlan_hdr);
    }
    uint32_t l3;
    uint8_t protocol;
    uint16_t sum;
    uint64_t flags;
    if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
        const struct rte_ipv4_hdr *ip = (const void *)(bytes + l2);
        if (there < l2 + sizeof *ip) return;
        l3 = rte_ipv4_hdr_len(ip);
        /* A fragment: more fragments follow, or it is not the first. */
        if (l3 < sizeof *ip || there < l2 + l3 || (ip->fragment_offset & RTE_BE16(0x3fff)) || rte_be_to_cpu_16(ip->total_length) < l3) return;
        protocol = ip->next_proto_id;
        sum = rte_ipv4_phdr_cksum(ip, 0);
        flags = RTE_MBUF_F_TX_IPV4;
    } else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
        const struct rte_ipv6_hdr *ip = (const void *)(bytes + l2);
        l3 = sizeof *ip;
        if (there < l2 + l3) return;
        protocol = ip->proto;
        sum = rte_ipv6_phdr_cksum(ip, 0);
        flags = RTE_MBUF_F_TX_IPV6;
    } else {
        return;
    }
    uint32_t field;
    if (protocol == IPPROTO_TCP) {
        field = l2 + l3 + offsetof(struct rte_tcp_hdr, cksum);
        flags |= RTE_MBUF_F_TX_TCP_CKSUM;
    } else if (protocol == IPPROTO_UDP) {
        field = l2 + l3 + offsetof(struct rte_udp_hdr, dgram_cksum);
        flags |= RTE_MBUF_F_TX_UDP_CKSUM;
    } else {
        return;
    }
    uint16_t found;
    if (there < field + sizeof found) return;
    memcpy(&found, bytes + field, sizeof found);
    if (found != sum) return;
    m->ol_flags |= flags;
    m->l2_len = l2;
    m->l3_len = l3;
}

static uint16_t mark_all(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count, uint16_t most, void *unused) {
    (void)port, (void)queue, (void)most, (void)unused;
    for (uint16_t index = 0; index < count; index++) mark(frames[index]);
    return count;
}

const struct rte_eth_rxtx_callback *sluice_device_mark_unfinished(uint16_t port, uint16_t queue) {
    return rte_eth_add_rx_callback(port, queue, mark_all, NULL);
}

/* The driver has marked the frame (virtio_rx_offload in DPDK's virtio driver), and has found the same headers. */
bool sluice_frame_take_joined(struct rte_mbuf *m) {
    const uint64_t flags = m->ol_flags;
    const uint16_t size = m->tso_segsz;
    const bool joined = flags & RTE_MBUF_F_RX_LRO;
    if (!joined && (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE) return true;
    m->ol_flags &= ~(RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    struct rte_net_hdr_lens lengths;
    const uint32_t type = rte_net_get_ptype(m, &lengths, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
    const uint32_t l2 = lengths.l2_len, l3 = lengths.l3_len, start = l2 + l3;
    const bool ipv6 = RTE_ETH_IS_IPV6_HDR(type), tcp = (type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP;
    const uint64_t version = ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    if (!tcp && (type & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_UDP) return !joined;
    /* Behind extension headers, it is a sum like all others. */
    const bool plain = !ipv6 || l3 == sizeof(struct rte_ipv6_hdr);
    if (!joined && !plain)
        return sluice_frame_finish_checksum(m, start, start + (tcp ? offsetof(struct rte_tcp_hdr, cksum) : offsetof(struct rte_udp_hdr, dgram_cksum))) == 0;
    if (joined) {
        const uint32_t headers = start + lengths.l4_len;
        if (!tcp || !plain || size == 0 || lengths.l4_len < sizeof(struct rte_tcp_hdr) || headers > m->data_len) return false;
        const uint32_t data = m->pkt_len - headers;
        if (data > (uint32_t)size * SLUICE_MOST_SEGMENTS) return false;
        if (data > size) {
            sluice_frame_request_segments(m, version | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM, l2, l3, lengths.l4_len, size);
            return true;
        }
    }
    sluice_frame_request(m, version | (tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM), l2, l3);
    return true;
}

static uint16_t ask_all(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count, uint16_t most, void *refused) {
    (void)port, (void)queue, (void)most;
    uint16_t kept = 0;
    for (uint16_t index = 0; index < count; index++) {
        struct rte_mbuf *m = frames[index];
        if (likely(sluice_frame_take_joined(m))) {
            frames[kept++] = m;
        } else {
            rte_pktmbuf_free(m);
            __atomic_fetch_add((uint64_t *)refused, 1, __ATOMIC_RELAXED);
        }
    }
    return kept;
}

const struct rte_eth_rxtx_callback *sluice_device_take_joined(uint16_t port, uint16_t queue, uint64_t *refused) {
    return rte_eth_add_rx_callback(port, queue, ask_all, refused);
}

void sluice_device_unmark(uint16_t port, uint16_t queue, const struct rte_eth_rxtx_callback *mark) {
    if (rte_eth_remove_rx_callback(port, queue, mark) == 0) rte_free((void *)(uintptr_t)mark);
}
