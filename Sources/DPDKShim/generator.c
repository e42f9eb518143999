#define _GNU_SOURCE
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <sched.h>

void sluice_frame_gather(const struct rte_mbuf *m, uint32_t count, void *buffer) {
    const void *bytes = rte_pktmbuf_read(m, 0, count, buffer);
    if (bytes && bytes != buffer) memcpy(buffer, bytes, count);
}

int sluice_generator_start_eal(int count, char **arguments) { return rte_eal_init(count, arguments); }

int sluice_generator_pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}
