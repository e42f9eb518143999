#include <rte_config.h>
#include "DPDKShim.h"

void sluice_frame_gather(const struct rte_mbuf *m, uint32_t count, void *buffer) {
    const void *bytes = rte_pktmbuf_read(m, 0, count, buffer);
    if (bytes && bytes != buffer) memcpy(buffer, bytes, count);
}

int sluice_generator_start_eal(int count, char **arguments) { return rte_eal_init(count, arguments); }
