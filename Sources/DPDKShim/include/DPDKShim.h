// What Swift cannot import from DPDK 22.11: structures aligned beyond 16 bytes, inline functions over them, macros,
// and the marking that lets the poll loop, compiled under @_noLocks, call into C. No policy and no state of ours.
#ifndef SLUICE_DPDK_SHIM_H
#define SLUICE_DPDK_SHIM_H

#include <rte_config.h>
#include "shim_base.h"
#include "shim_runtime.h"
#include "shim_frame.h"
#include "shim_device.h"
#include "shim_xdp.h"
#include "shim_vhost.h"
#include "shim_sleep.h"
#include "shim_filter.h"
#include "shim_mirror.h"
#include "shim_generator.h"

#endif
