#include <rte_config.h>
#include "DPDKShim.h"
#include <rte_mbuf_dyn.h>

uint64_t sluice_note_flag(void) {
    static const struct rte_mbuf_dynflag flag = { .name = "sluice_note" };
    const int bit = rte_mbuf_dynflag_register(&flag);
    return bit < 0 ? 0 : UINT64_C(1) << bit;
}

void sluice_frame_read_front(const struct rte_mbuf *m, uint32_t length, void *bytes) {
    const void *start = rte_pktmbuf_read(m, 0, length, bytes);
    if (start && start != bytes) memcpy(bytes, start, length);
}
