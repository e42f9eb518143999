// Rules by which a NIC itself chooses the receive queue of a frame.
#ifndef SLUICE_SHIM_FLOW_H
#define SLUICE_SHIM_FLOW_H

#include "shim_base.h"
#include <rte_flow.h>

/// Has a device deliver the frames for an address by one of its receive queues, whatever protocol they are of. Whether frames with a VLAN tag match, too, is the
/// driver's choice.
/// @param octets the address.
/// @param refusal set if the device refuses the rule: the positive errno.
/// @param reason set if the device refuses the rule: what its driver says, or NULL; it lives as long as the program.
/// @return the rule; NULL: the device refuses it.
struct rte_flow *sluice_flow_steer(uint16_t port, const uint8_t octets[6], uint16_t queue, int *refusal, const char **reason);
/// Takes a rule back. Returns 0 or a negative errno; the rule is still there then.
int sluice_flow_remove(uint16_t port, struct rte_flow *rule);

#endif
