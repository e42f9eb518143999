#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <fcntl.h>
#include <rte_byteorder.h>
#include <stdlib.h>
#include <sys/eventfd.h>

unsigned sluice_guest_regions(int vid, sluice_guest_region *regions, unsigned most) {
    struct rte_vhost_memory *memory = NULL;
    if (rte_vhost_get_mem_table(vid, &memory) != 0) return 0;
    unsigned count = memory->nregions < most ? memory->nregions : most;
    for (unsigned number = 0; number < count; number++) {
        const struct rte_vhost_mem_region *region = memory->regions + number;
        regions[number] = (sluice_guest_region){ region->guest_phys_addr, region->size, (void *)(uintptr_t)region->host_user_addr };
    }
    free(memory);
    return count;
}

void sluice_guest_call(int descriptor) { (void)eventfd_write(descriptor, 1); }
void sluice_guest_log(int vid, uint64_t address, uint64_t length) { rte_vhost_log_write(vid, address, length); }

/* librte_vhost keeps the pointer that it is given instead of a copy; all sockets share one table. */
static struct rte_vhost_device_ops operations;
static sluice_vhost_callbacks own;

/* The vhost-user messages that are handled here, and the header that all messages have (QEMU, docs/interop/vhost-user.rst). */
enum {
    SET_FEATURES = 2, RESET_OWNER = 4, SET_MEM_TABLE = 5, SET_LOG_BASE = 6, SET_LOG_FD = 7, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10,
    GET_VRING_BASE = 11, SET_VRING_KICK = 12, SET_VRING_CALL = 13, SET_VRING_ERR = 14, SET_VRING_ENABLE = 18, SEND_RARP = 19, GET_INFLIGHT_FD = 31,
    SET_INFLIGHT_FD = 32, SET_STATUS = 39
};
enum { NEED_REPLY = 1 << 3 };
typedef struct __attribute__((packed)) {
    uint32_t request, flags, size;
    union {
        uint64_t number;
        struct { uint32_t index, value; } ring;
    } payload;
} message;

/* Whether a message may change rings or memory that poll loops are using. */
static bool is_change(uint32_t request) {
    return (request >= SET_FEATURES && request <= SET_VRING_ERR && request != 3 /* SET_OWNER */) || request == SET_VRING_ENABLE || request == SET_STATUS;
}

/* Refuses messages that librte_vhost 22.11 cannot handle safely. The flag NEED_REPLY is cleared because an error without a reply ends the connection,
 * whereas a reply would keep it open. */
static enum rte_vhost_msg_result before_message(int vid, void *context) {
    message *received = context;
    struct rte_vhost_vring ring;
    switch (received->request) {
    case SET_VRING_NUM:
        /* On a running ring this message would replace tables that poll loops are using. */
        if (rte_vhost_get_vhost_vring(vid, (uint16_t)received->payload.ring.index, &ring) != 0 || !ring.desc || ring.kickfd < 0) break;
        received->flags &= ~(uint32_t)NEED_REPLY;
        return RTE_VHOST_MSG_RESULT_ERR;
    case GET_INFLIGHT_FD:
    case SET_INFLIGHT_FD:
        /* This feature is not offered to network devices, and librte_vhost does not check the region's size against that of its file. */
        received->flags &= ~(uint32_t)NEED_REPLY;
        return RTE_VHOST_MSG_RESULT_ERR;
    }
    if (is_change(received->request)) own.changing(vid);
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result after_message(int vid, void *context) {
    const message *received = context;
    struct rte_vhost_vring ring;
    switch (received->request) {
    case SET_VRING_CALL:
        /* A poll loop writes to this descriptor, and must never wait for its reader. */
        if (rte_vhost_get_vhost_vring(vid, received->payload.number & 0xff, &ring) == 0 && ring.callfd >= 0) {
            int flags = fcntl(ring.callfd, F_GETFL);
            if (flags >= 0) (void)fcntl(ring.callfd, F_SETFL, flags | O_NONBLOCK);
        }
        break;
    case SET_MEM_TABLE: sluice_guest_memory_set(vid); break;
    case SEND_RARP: own.announce(vid, rte_be_to_cpu_64(received->payload.number) >> 16); break;
    }
    if (is_change(received->request)) own.changed(vid);
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static struct rte_vhost_user_extern_ops messages = { .pre_msg_handle = before_message, .post_msg_handle = after_message };

static int connected(int vid) {
    int answer = own.connected(vid);
    return answer == 0 ? rte_vhost_extern_callback_register(vid, &messages, NULL) : answer;
}

static void disconnected(int vid) {
    own.disconnected(vid);
    sluice_guest_memory_forget(vid);
}

int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step) {
    own = *callbacks;
    operations.new_connection = connected;
    operations.destroy_connection = disconnected;
    operations.new_device = callbacks->added;
    operations.destroy_device = callbacks->removed;
    operations.vring_state_changed = callbacks->ring_changed;
    *failed_step = "rte_vhost_driver_register";
    errno = 0;
    if (rte_vhost_driver_register(path, client ? RTE_VHOST_USER_CLIENT : 0) != 0) return errno ? -errno : -EINVAL;
    *failed_step = "rte_vhost_driver_disable_features";
    int failed = features_off ? rte_vhost_driver_disable_features(path, features_off) : 0;
    if (failed == 0) {
        *failed_step = "rte_vhost_driver_callback_register";
        failed = rte_vhost_driver_callback_register(path, &operations);
    }
    if (failed == 0) {
        *failed_step = "rte_vhost_driver_start";
        errno = 0;
        failed = rte_vhost_driver_start(path);
    }
    if (failed == 0) { *failed_step = NULL; return 0; }
    int error = errno ? errno : EIO;
    rte_vhost_driver_unregister(path);
    return -error;
}

int sluice_vhost_close(const char *path) { return rte_vhost_driver_unregister(path); }
