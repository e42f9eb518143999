/* Answers what lldpad asks the kernel about DCB (linux/dcbnl.h) for interfaces whose driver knows nothing of it, so that lldpad speaks DCBX on a veth. It is
 * loaded into lldpad (LD_PRELOAD) in place of two functions of libnl. What lldpad wants the interface to do is written to the file $DCB_ANSWERS, a line of
 * JSON for each change.
 *
 *   gcc -shared -fPIC -O2 -o dcb-answers.so scripts/lab/dcb-answers.c $(pkg-config --cflags libnl-3.0) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/dcbnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_devices = 8, most_apps = 64 };

typedef struct {
    char name[IFNAMSIZ];
    struct ieee_ets ets;
    struct ieee_pfc pfc;
    struct dcb_app apps[most_apps];
    unsigned app_count;
} device;

static device devices[most_devices];

/* The question that is to be answered by the next nl_recv. */
static struct {
    struct nl_sock *socket;
    int command;
    device *about;
} asked;

static device *named(const char *name) {
    for (unsigned i = 0; i < most_devices; i++) {
        device *found = &devices[i];
        if (found->name[0] == 0) {
            strncpy(found->name, name, IFNAMSIZ - 1);
            found->ets.ets_cap = found->pfc.pfc_cap = 8;
        }
        if (strncmp(found->name, name, IFNAMSIZ) == 0) return found;
    }
    return NULL;
}

static void list(FILE *file, const char *name, const __u8 *values) {
    fprintf(file, ", \"%s\": [", name);
    for (unsigned i = 0; i < 8; i++) fprintf(file, i ? ", %u" : "%u", values[i]);
    fputc(']', file);
}

static void tell(const device *it) {
    const char *path = getenv("DCB_ANSWERS");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "{\"device\": \"%s\", \"pfc\": %u", it->name, it->pfc.pfc_en);
    list(file, "tc_bw", it->ets.tc_tx_bw);
    list(file, "tc_tsa", it->ets.tc_tsa);
    list(file, "prio_tc", it->ets.prio_tc);
    fputs(", \"app\": [", file);
    for (unsigned i = 0; i < it->app_count; i++)
        fprintf(file, "%s[%u, %u, %u]", i ? ", " : "", it->apps[i].selector, it->apps[i].protocol, it->apps[i].priority);
    fputs("]}\n", file);
    fclose(file);
}

static void change_app(device *it, const struct dcb_app *app, bool adds) {
    unsigned place = 0;
    while (place < it->app_count && memcmp(&it->apps[place], app, sizeof *app) != 0) place++;
    if (adds && place == it->app_count && place < most_apps) it->apps[it->app_count++] = *app;
    if (!adds && place < it->app_count) it->apps[place] = it->apps[--it->app_count];
}

static void change(device *it, struct nlattr *ieee, bool adds) {
    struct nlattr *parts[DCB_ATTR_IEEE_MAX + 1], *app;
    int rest;
    if (nla_parse_nested(parts, DCB_ATTR_IEEE_MAX, ieee, NULL) < 0) return;
    if (parts[DCB_ATTR_IEEE_ETS]) nla_memcpy(&it->ets, parts[DCB_ATTR_IEEE_ETS], sizeof it->ets);
    if (parts[DCB_ATTR_IEEE_PFC]) nla_memcpy(&it->pfc, parts[DCB_ATTR_IEEE_PFC], sizeof it->pfc);
    it->ets.ets_cap = it->pfc.pfc_cap = 8;
    if (parts[DCB_ATTR_IEEE_APP_TABLE])
        nla_for_each_nested(app, parts[DCB_ATTR_IEEE_APP_TABLE], rest) {
            struct dcb_app copy;
            memset(&copy, 0, sizeof copy);
            const struct dcb_app *given = nla_data(app);
            copy.selector = given->selector;
            copy.priority = given->priority;
            copy.protocol = given->protocol;
            change_app(it, &copy, adds);
        }
    tell(it);
}

int nl_send_auto_complete(struct nl_sock *socket, struct nl_msg *message) {
    static int (*next)(struct nl_sock *, struct nl_msg *);
    if (!next) next = (int (*)(struct nl_sock *, struct nl_msg *))dlsym(RTLD_NEXT, "nl_send_auto_complete");
    struct nlmsghdr *header = nlmsg_hdr(message);
    if (header->nlmsg_type != RTM_GETDCB && header->nlmsg_type != RTM_SETDCB) return next(socket, message);
    struct nlattr *parts[DCB_ATTR_MAX + 1];
    const struct dcbmsg *dcb = nlmsg_data(header);
    if (nlmsg_parse(header, sizeof *dcb, parts, DCB_ATTR_MAX, NULL) < 0 || !parts[DCB_ATTR_IFNAME]) return -EINVAL;
    device *about = named(nla_data(parts[DCB_ATTR_IFNAME]));
    if (!about) return -ENOMEM;
    const bool adds = dcb->cmd == DCB_CMD_IEEE_SET;
    if (parts[DCB_ATTR_IEEE] && (adds || dcb->cmd == DCB_CMD_IEEE_DEL)) {
        change(about, parts[DCB_ATTR_IEEE], adds);
    } else {
        asked.socket = socket;
        asked.command = dcb->cmd;
        asked.about = about;
    }
    return (int)header->nlmsg_len;
}

static struct nl_msg *answer(void) {
    struct dcbmsg dcb = { .cmd = (__u8)asked.command };
    struct nlmsgerr refused = { .error = -EOPNOTSUPP };
    const bool knows = asked.command == DCB_CMD_GDCBX || asked.command == DCB_CMD_IEEE_GET;
    struct nl_msg *message = nlmsg_alloc_simple(knows ? RTM_GETDCB : NLMSG_ERROR, 0);
    if (!message) return NULL;
    if (!knows) {
        nlmsg_append(message, &refused, sizeof refused, NLMSG_ALIGNTO);
        return message;
    }
    nlmsg_append(message, &dcb, sizeof dcb, NLMSG_ALIGNTO);
    nla_put_string(message, DCB_ATTR_IFNAME, asked.about->name);
    if (asked.command == DCB_CMD_GDCBX) {
        nla_put_u8(message, DCB_ATTR_DCBX, DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE);
        return message;
    }
    struct nlattr *ieee = nla_nest_start(message, DCB_ATTR_IEEE);
    nla_put(message, DCB_ATTR_IEEE_ETS, sizeof asked.about->ets, &asked.about->ets);
    nla_put(message, DCB_ATTR_IEEE_PFC, sizeof asked.about->pfc, &asked.about->pfc);
    struct nlattr *table = nla_nest_start(message, DCB_ATTR_IEEE_APP_TABLE);
    for (unsigned i = 0; i < asked.about->app_count; i++)
        nla_put(message, DCB_ATTR_IEEE_APP, sizeof asked.about->apps[i], &asked.about->apps[i]);
    nla_nest_end(message, table);
    nla_nest_end(message, ieee);
    return message;
}

int nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **bytes, struct ucred **credentials) {
    static int (*next)(struct nl_sock *, struct sockaddr_nl *, unsigned char **, struct ucred **);
    if (!next) next = (int (*)(struct nl_sock *, struct sockaddr_nl *, unsigned char **, struct ucred **))dlsym(RTLD_NEXT, "nl_recv");
    if (!asked.socket || asked.socket != socket) return next(socket, from, bytes, credentials);
    struct nl_msg *message = answer();
    asked.socket = NULL;
    if (!message) return -ENOMEM;
    const unsigned length = nlmsg_hdr(message)->nlmsg_len;
    *bytes = malloc(length);
    if (*bytes) memcpy(*bytes, nlmsg_hdr(message), length);
    nlmsg_free(message);
    if (from) *from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
    if (credentials) *credentials = NULL;
    return *bytes ? (int)length : -ENOMEM;
}
