// What Swift cannot import from DPDK 22.11: structures aligned to more than 16 bytes, inline functions on them, and macros; and the attribute that allows the
// poll loop, which is compiled under @_noLocks, to call C functions. It contains no policy and no state of its own.
#ifndef SLUICE_DPDK_SHIM_H
#define SLUICE_DPDK_SHIM_H

#include <rte_config.h>
#include "shim_base.h"
#include "shim_runtime.h"
#include "shim_frame.h"
#include "shim_device.h"
#include "shim_flow.h"
#include "shim_xdp.h"
#include "shim_vhost.h"
#include "shim_sleep.h"
#include "shim_filter.h"
#include "shim_mirror.h"
#include "shim_capture.h"
#include "shim_generator.h"

#endif
