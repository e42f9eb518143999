#include <rte_config.h>
#include "DPDKShim.h"
#include <string.h>

struct rte_flow *sluice_flow_steer(uint16_t port, const uint8_t octets[6], uint16_t queue, int *refusal, const char **reason) {
    const struct rte_flow_attr attributes = {.ingress = 1};
    struct rte_flow_item_eth address = {0}, mask = {0};
    memcpy(address.hdr.dst_addr.addr_bytes, octets, RTE_ETHER_ADDR_LEN);
    memset(mask.hdr.dst_addr.addr_bytes, 0xff, RTE_ETHER_ADDR_LEN);
    const struct rte_flow_item pattern[] = {
        {.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &address, .mask = &mask},
        {.type = RTE_FLOW_ITEM_TYPE_END},
    };
    const struct rte_flow_action_queue destination = {.index = queue};
    const struct rte_flow_action actions[] = {
        {.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &destination},
        {.type = RTE_FLOW_ACTION_TYPE_END},
    };
    struct rte_flow_error error = {0};
    struct rte_flow *rule = NULL;
    int result = rte_flow_validate(port, &attributes, pattern, actions, &error);
    if (result == 0) {
        rule = rte_flow_create(port, &attributes, pattern, actions, &error);
        if (rule == NULL) result = -rte_errno;
    }
    *refusal = rule ? 0 : result < 0 ? -result : EINVAL;
    *reason = rule ? NULL : error.message;
    return rule;
}

int sluice_flow_remove(uint16_t port, struct rte_flow *rule) {
    struct rte_flow_error error = {0};
    int result = rte_flow_destroy(port, rule, &error);
    return result > 0 ? -result : result;
}
