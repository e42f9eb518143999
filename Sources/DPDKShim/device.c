#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <rte_memzone.h>
#include <rte_net.h>

uint16_t sluice_device_receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count) {
    return rte_eth_rx_burst(port, queue, frames, count);
}
uint16_t sluice_device_send(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count) {
    return rte_eth_tx_burst(port, queue, frames, count);
}

static uint16_t at_most(uint16_t wanted, uint16_t most) { return wanted < most ? wanted : most; }

/* The largest MTU that ethdev accepts for a device (eth_dev_validate_mtu in lib/ethdev/rte_ethdev.c). */
static uint16_t longest_mtu(const struct rte_eth_dev_info *info) {
    uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu) overhead = info->max_rx_pktlen - info->max_mtu;
    if (info->max_rx_pktlen <= overhead) return info->max_mtu;
    return info->max_rx_pktlen - overhead < info->max_mtu ? info->max_rx_pktlen - overhead : info->max_mtu;
}

/* Drivers that say so although no hardware does it (DPDK 22.11): tap, which uses librte_gso, and those that say what devices below them say, which may be taps,
 * and lose what these refuse. */
static bool segments_in_software(const char *driver) {
    return strcmp(driver, "net_tap") == 0 || strcmp(driver, "net_failsafe") == 0 || strcmp(driver, "net_bonding") == 0;
}

static bool segments(const struct rte_eth_dev_info *info) {
    const uint64_t needed = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    return (info->tx_offload_capa & needed) == needed && !segments_in_software(info->driver_name);
}

static int start(uint16_t port, struct rte_mempool *pool, sluice_device_setup *setup, bool interrupts) {
    struct rte_eth_dev_info info;
    setup->failed_step = "rte_eth_dev_info_get";
    int result = rte_eth_dev_info_get(port, &info);
    if (result != 0) return result;

    struct rte_eth_conf conf = {0};
    conf.intr_conf.rxq = interrupts;
    const uint64_t checksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    const uint64_t scatter = RTE_ETH_RX_OFFLOAD_SCATTER;
    setup->checksum = (info.tx_offload_capa & checksums) == checksums;
    setup->multi_segment = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    setup->numa_node = rte_eth_dev_socket_id(port);
    if (setup->checksum) conf.txmode.offloads |= checksums;
    if (setup->multi_segment) conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (info.rx_offload_capa & scatter) conf.rxmode.offloads |= scatter;
    setup->segmentation.is_offered = segments(&info);
    if (setup->segmentation.is_offered) {
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
        setup->segmentation.header_checksum = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
    }
    const uint64_t joined = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | scatter;
    setup->joined = setup->joined && (info.rx_offload_capa & joined) == joined;
    if (setup->joined) conf.rxmode.offloads |= joined;
    setup->mtu = at_most(setup->mtu, longest_mtu(&info));
    conf.rxmode.mtu = setup->mtu;

    setup->receive_queues = at_most(setup->receive_queues, info.max_rx_queues);
    setup->transmit_queues = at_most(setup->transmit_queues, info.max_tx_queues);
    if (setup->equal_queues) {
        uint16_t both = at_most(setup->receive_queues, setup->transmit_queues);
        setup->receive_queues = both;
        setup->transmit_queues = both;
    }
    if (setup->receive_queues > 1 && (info.flow_type_rss_offloads != 0)) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    }
    setup->failed_step = "rte_eth_dev_configure";
    result = rte_eth_dev_configure(port, setup->receive_queues, setup->transmit_queues, &conf);
    if (result != 0) return result;

    uint16_t receive_ring = setup->receive_ring ? setup->receive_ring
        : info.default_rxportconf.ring_size ? info.default_rxportconf.ring_size : 1024;
    uint16_t transmit_ring = setup->transmit_ring ? setup->transmit_ring
        : info.default_txportconf.ring_size ? info.default_txportconf.ring_size : 1024;
    setup->failed_step = "rte_eth_dev_adjust_nb_rx_tx_desc";
    result = rte_eth_dev_adjust_nb_rx_tx_desc(port, &receive_ring, &transmit_ring);
    if (result != 0) return result;
    setup->receive_ring = receive_ring;
    setup->transmit_ring = transmit_ring;
    /* A frame that takes more descriptors than are ever free would wait for ever. */
    setup->segmentation.most_parts = at_most(info.tx_desc_lim.nb_seg_max ? info.tx_desc_lim.nb_seg_max : UINT16_MAX, transmit_ring / 2);
    setup->segmentation.most_parts_at_once = info.tx_desc_lim.nb_mtu_seg_max == UINT16_MAX ? 0 : info.tx_desc_lim.nb_mtu_seg_max;
    int node = setup->numa_node < 0 ? (int)SOCKET_ID_ANY : setup->numa_node;
    for (uint16_t queue = 0; queue < setup->receive_queues; queue++) {
        struct rte_eth_rxconf queue_conf = info.default_rxconf;
        queue_conf.offloads = conf.rxmode.offloads;
        setup->failed_step = "rte_eth_rx_queue_setup";
        result = rte_eth_rx_queue_setup(port, queue, receive_ring, node, &queue_conf, pool);
        if (result != 0) return result;
    }
    for (uint16_t queue = 0; queue < setup->transmit_queues; queue++) {
        struct rte_eth_txconf queue_conf = info.default_txconf;
        queue_conf.offloads = conf.txmode.offloads;
        setup->failed_step = "rte_eth_tx_queue_setup";
        result = rte_eth_tx_queue_setup(port, queue, transmit_ring, node, &queue_conf);
        if (result != 0) return result;
    }
    setup->failed_step = "rte_eth_dev_start";
    result = rte_eth_dev_start(port);
    if (result != 0) return result;
    /* Failure is ignored: some virtual devices always are promiscuous and answer that this cannot be set. */
    (void)rte_eth_promiscuous_enable(port);
    setup->failed_step = NULL;
    return 0;
}

int sluice_device_start(uint16_t port, struct rte_mempool *pool, sluice_device_setup *setup) {
    const sluice_device_setup wanted = *setup;
    if (start(port, pool, setup, true) == 0) return 0;
    /* A loop that sleeps needs receive interrupts. If the device refuses them or has too few, it is started without them and the loop polls it instead. What
     * else it refuses it refuses again, so that the caller is told of that. */
    (void)rte_eth_dev_stop(port);
    *setup = wanted;
    return start(port, pool, setup, false);
}

uint16_t sluice_device_longest_mtu(uint16_t port) {
    struct rte_eth_dev_info info;
    return rte_eth_dev_info_get(port, &info) == 0 ? longest_mtu(&info) : 0;
}

/* Finds the field that stores the MTU without knowing its offset: it is the only word in ethdev's shared device table that follows the MTU through several
 * values. */
bool sluice_device_lift_mtu(uint16_t port, uint16_t mtu) {
    const struct rte_memzone *table = rte_memzone_lookup("rte_eth_dev_data");
    uint16_t before;
    if (!table || rte_eth_dev_get_mtu(port, &before) != 0) return false;
    const size_t count = table->len / sizeof(uint16_t);
    uint16_t *words = table->addr, *found = NULL;
    bool *follows = malloc(count);
    if (!follows) return false;
    memset(follows, true, count);
    // Below 1280 the kernel would take IPv6, with its addresses and routes, from the interface (addrconf_notify in net/ipv6/addrconf.c).
    static const uint16_t trials[] = {1483, 1301, 1429};
    bool told = true;
    for (unsigned trial = 0; trial < RTE_DIM(trials) && told; trial++) {
        told = rte_eth_dev_set_mtu(port, trials[trial]) == 0;
        for (size_t at = 0; at < count; at++) follows[at] &= words[at] == trials[trial];
    }
    (void)rte_eth_dev_set_mtu(port, before);
    size_t matches = 0;
    for (size_t at = 0; at < count; at++) {
        if (!follows[at]) continue;
        matches++;
        found = words + at;
    }
    free(follows);
    if (!told || matches != 1) return false;
    *found = mtu;
    return true;
}

int sluice_device_remove(uint16_t port) {
    struct rte_eth_dev_info info;
    int result = rte_eth_dev_info_get(port, &info);
    if (result != 0) return result;
    (void)rte_eth_dev_stop(port);
    result = rte_eth_dev_close(port);
    int removed = info.device ? rte_dev_remove(info.device) : 0;
    return result != 0 ? result : removed;
}

/* These two are internal to drivers: Debian's packages export them from the library but do not contain their header (ethdev_driver.h). */
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_release_port(struct rte_eth_dev *device);

/* When the driver of a virtual device fails half-way, it may leave behind the port that it had allocated (memif_create in DPDK 22.11), and then no other
 * device of that name can be created. Such a port is recognised by having no port number yet, which it gets only when its probing ends. */
static void release_unfinished(const char *devargs) {
    char name[RTE_ETH_NAME_MAX_LEN];
    const size_t length = strcspn(devargs, ",");
    uint16_t port;
    if (strncmp(devargs, "net_", 4) != 0 || length >= sizeof name) return;
    memcpy(name, devargs, length);
    name[length] = 0;
    if (rte_eth_dev_get_port_by_name(name, &port) == 0) return;
    struct rte_eth_dev *device = rte_eth_dev_allocated(name);
    if (device) (void)rte_eth_dev_release_port(device);
}

int sluice_device_probe(const char *devargs, uint16_t *port) {
    struct rte_dev_iterator iterator;
    int result = rte_dev_probe(devargs);
    if (result != 0) {
        release_unfinished(devargs);
        return result;
    }
    uint16_t found;
    RTE_ETH_FOREACH_MATCHING_DEV(found, devargs, &iterator) {
        *port = found;
        rte_eth_iterator_cleanup(&iterator);
        return 0;
    }
    return -ENODEV;
}

bool sluice_device_link(uint16_t port, uint32_t *megabits) {
    struct rte_eth_link link;
    if (rte_eth_link_get_nowait(port, &link) != 0) return false;
    *megabits = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
    return link.link_status == RTE_ETH_LINK_UP;
}

bool sluice_device_pass_pauses(uint16_t port) {
    struct rte_eth_fc_conf flow;
    memset(&flow, 0, sizeof flow);
    if (rte_eth_dev_flow_ctrl_get(port, &flow) != 0) return true;
    flow.mode = RTE_ETH_FC_NONE;
    flow.mac_ctrl_frame_fwd = 1;
    if (rte_eth_dev_flow_ctrl_set(port, &flow) != 0) return false;
    memset(&flow, 0, sizeof flow);
    return rte_eth_dev_flow_ctrl_get(port, &flow) == 0 && flow.mac_ctrl_frame_fwd == 1;
}

const char *sluice_device_driver(uint16_t port) {
    struct rte_eth_dev_info info;
    return rte_eth_dev_info_get(port, &info) == 0 ? info.driver_name : "unknown";
}

/* Whether each of the frames that a frame is cut into lies in few enough buffers: its headers, and data behind each other. */
static bool is_in_few_parts(const struct rte_mbuf *m, uint16_t most) {
    if (most == 0 || m->nb_segs < most) return true;
    uint32_t shortest = UINT32_MAX;
    for (const struct rte_mbuf *part = m->next; part && part->next; part = part->next)
        if (part->data_len < shortest) shortest = part->data_len;
    return shortest != 0 && (m->tso_segsz + shortest - 1) / shortest + 2 <= most;
}

bool sluice_device_prepare_segments(uint16_t port, uint16_t queue, struct rte_mbuf *m, const sluice_segmentation *wanted) {
    if (m->nb_segs > wanted->most_parts || !is_in_few_parts(m, wanted->most_parts_at_once)) return false;
    const uint64_t header = wanted->header_checksum && (m->ol_flags & RTE_MBUF_F_TX_IPV4) ? RTE_MBUF_F_TX_IP_CKSUM : 0;
    m->ol_flags |= header;
    /* Drivers that have nothing to prepare find what ethdev demands of such frames: the sum of the pseudo-header without the length. The others begin anew. */
    if (rte_net_intel_cksum_prepare(m) == 0 && rte_eth_tx_prepare(port, queue, &m, 1) == 1) return true;
    m->ol_flags &= ~header;
    return false;
}
