#include <rte_config.h>
#include "DPDKShim.h"
#include <dirent.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void sluice_device_losses(uint16_t port, uint64_t *missed, uint64_t *errors) {
    struct rte_eth_stats stats;
    *missed = *errors = 0;
    if (rte_eth_stats_get(port, &stats) != 0) return;
    *missed = stats.imissed;
    *errors = stats.ierrors;
    /* Other drivers leave a frame for which they have no buffer in their ring; the tap driver has already taken it out of the kernel's queue, so it is
     * lost. */
    const char *driver = sluice_device_driver(port);
    if (strcmp(driver, "net_tap") == 0) *missed += stats.rx_nombuf;
}

unsigned sluice_sockets(int family, int *sockets, unsigned most) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    for (const struct dirent *entry; (entry = readdir(folder)) && count < most;) {
        char *end;
        int descriptor = (int)strtol(entry->d_name, &end, 10), domain = 0;
        socklen_t length = sizeof domain;
        if (end == entry->d_name || *end) continue;
        if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == family) sockets[count++] = descriptor;
    }
    closedir(folder);
    return count;
}

int sluice_packet_socket_interface(int socket) {
    struct sockaddr_ll address = {0};
    socklen_t length = sizeof address;
    return getsockname(socket, (struct sockaddr *)&address, &length) == 0 ? address.sll_ifindex : 0;
}

uint64_t sluice_packet_socket_missed(int socket) {
    struct tpacket_stats stats = {0};
    socklen_t length = sizeof stats;
    /* The kernel sets these counters to 0 when they are read (packet(7)). */
    return getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0 ? stats.tp_drops : 0;
}
