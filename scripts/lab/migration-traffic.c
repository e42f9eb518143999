// What scripts/lab/migration and the system tests of migration run in the guest, and at the correspondent.
//
//   migration-traffic guest INTERFACE REPORT
//     Echoes frames of type ECHO, whose contents it checks and keeps in a ring of pages, and lets frames of type HOLD lie in the kernel's buffers, where the
//     switch has written them. A thread writes pages of its own meanwhile. On SIGUSR1 it checks all that memory and writes what it found to REPORT.
//   migration-traffic peer INTERFACE GUEST'S-MAC RUN ECHOES-A-SECOND HOLDS-A-SECOND LONGEST LOG
//     Sends numbered frames of both types until its standard input ends, and writes to LOG what was sent and what came back, and when.
//   migration-traffic load INTERFACE GUEST'S-MAC RUN WINDOW LONGEST
//     Sends as many numbered frames as the guest answers, of which WINDOW are on their way at any time, until its standard input ends, and some that it holds,
//     and tells on its standard output what became of them. If it reads a `p` it pauses, and with an `r` it goes on; each `h` is a single frame to be held.
//
// A frame: addresses, type, RUN, LENGTH (2 bytes each, the length of the whole frame), NUMBER (8), and bytes that follow from run, number and place.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ECHO 0x88b5
#define HOLD 0x88b6
#define HEADER 26
#define LONGEST 9014
#define NUMBERS (1 << 20)

typedef struct { uint16_t run, length; uint64_t number; } Label;

static uint64_t mix(uint64_t value) {
    value = (value ^ value >> 31) * 0x9e3779b97f4a7c15u;
    return value ^ value >> 29;
}

static void fill(uint8_t *bytes, Label label, int type) {
    uint16_t words[3] = {htons(type), label.run, label.length};
    memcpy(bytes + 12, words, 6);
    memcpy(bytes + 18, &label.number, 8);
    uint64_t seed = mix(label.number << 20 | (uint64_t)label.run << 4 | (type & 15));
    for (int place = HEADER; place < label.length; place++) bytes[place] = seed >> (place & 7) * 8 ^ place >> 3;
}

// Whether a frame is as it was sent; its label.
static int check(const uint8_t *bytes, long length, int type, Label *label) {
    static uint8_t right[LONGEST];
    if (length < HEADER) return 0;
    memcpy(&label->run, bytes + 14, 2);
    memcpy(&label->length, bytes + 16, 2);
    memcpy(&label->number, bytes + 18, 8);
    if (label->length < HEADER || label->length > length || label->length > LONGEST || label->number >= NUMBERS) return 0;
    fill(right, *label, type);
    return memcmp(right + 12, bytes + 12, label->length - 12) == 0;
}

static void fail(const char *what) { perror(what); exit(1); }

static int open_socket(const char *interface, int protocol) {
    int descriptor = socket(AF_PACKET, SOCK_RAW, 0);
    if (descriptor < 0) fail("socket");
    int size = 96 << 20, one = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) fail("SO_RCVBUFFORCE");
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0) fail("SO_SNDBUFFORCE");
    if (setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0) fail("PACKET_IGNORE_OUTGOING");
    if (setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0) fail("SO_TIMESTAMPNS");
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = if_nametoindex(interface)};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    return descriptor;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

// The guest.

#define KEPT 4096
#define PAGES 6144
#define PAGE 4096

static volatile sig_atomic_t asked;
static void ask(int number) { (void)number; asked = 1; }

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t (*pages)[PAGE];
static uint64_t generations[PAGES];

static void write_page(int page, uint64_t generation, uint8_t *to) {
    uint64_t word = mix(generation << 16 | page);
    for (int place = 0; place < PAGE; place += 8) { memcpy(to + place, &word, 8); word += 0x9e3779b97f4a7c15u; }
}

// Writes about 16 MiB a second.
static void *dirty(void *unused) {
    for (uint64_t count = 0;;) {
        pthread_mutex_lock(&lock);
        for (int turn = 0; turn < 8; turn++, count++) {
            int page = mix(count) % PAGES;
            write_page(page, ++generations[page], pages[page]);
        }
        pthread_mutex_unlock(&lock);
        usleep(2000);
    }
    return unused;
}

static void *memory(size_t size) {
    void *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (place == MAP_FAILED) fail("mmap");
    return place;
}

static void guest(const char *interface, const char *report) {
    int echo = open_socket(interface, ECHO), hold = open_socket(interface, HOLD);
    pages = memory(sizeof *pages * PAGES);
    for (int page = 0; page < PAGES; page++) write_page(page, 0, pages[page]);
    uint8_t (*kept)[LONGEST] = memory((size_t)KEPT * LONGEST), *seen = memory(NUMBERS), *seen_held = memory(NUMBERS);
    long *lengths = memory(KEPT * sizeof *lengths);
    static uint8_t bytes[LONGEST + 100];
    struct sigaction action = {.sa_handler = ask};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pthread_create(&thread, NULL, dirty, NULL);
    sigset_t none;
    sigemptyset(&none);
    long run = -1, received = 0, twice = 0, corrupt = 0, unsent = 0, late = 0, place = 0;
    uint64_t latest = 0;
    for (;;) {
        struct pollfd wanted = {.fd = echo, .events = POLLIN};
        ppoll(&wanted, 1, NULL, &none);
        Label label;
        for (long length; (length = recv(echo, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
            if (!check(bytes, length, ECHO, &label)) { corrupt++; continue; }
            if (label.run != run) {
                run = label.run;
                received = twice = unsent = late = latest = 0;
                memset(seen, 0, NUMBERS);
                memset(seen_held, 0, NUMBERS);
            }
            if (seen[label.number]) twice++; else received++;
            seen[label.number] = 1;
            if (label.number < latest) late++; else latest = label.number;
            memcpy(kept[place % KEPT], bytes, length);
            lengths[place++ % KEPT] = length;
            uint8_t addresses[6];
            memcpy(addresses, bytes, 6);
            memcpy(bytes, bytes + 6, 6);
            memcpy(bytes + 6, addresses, 6);
            if (send(echo, bytes, length, 0) < 0) unsent++;
        }
        if (!asked) continue;
        asked = 0;
        // All memory that was written by the switch or by this program: frames that lay in the kernel's buffers, frames that were kept, and pages.
        long held = 0, held_twice = 0, held_corrupt = 0, kept_corrupt = 0, pages_corrupt = 0;
        for (long length; (length = recv(hold, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
            if (!check(bytes, length, HOLD, &label)) { held_corrupt++; continue; }
            if (label.run != run) continue;
            if (seen_held[label.number]) held_twice++; else held++;
            seen_held[label.number] = 1;
        }
        for (long index = 0; index < KEPT && index < place; index++) {
            // The addresses are as they were received.
            if (!check(kept[index], lengths[index], ECHO, &label)) kept_corrupt++;
        }
        pthread_mutex_lock(&lock);
        for (int page = 0; page < PAGES; page++) {
            uint8_t right[PAGE];
            write_page(page, generations[page], right);
            if (memcmp(right, pages[page], PAGE) != 0) pages_corrupt++;
        }
        pthread_mutex_unlock(&lock);
        struct tpacket_stats stats[2] = {{0}, {0}};
        socklen_t size = sizeof stats[0];
        getsockopt(echo, SOL_PACKET, PACKET_STATISTICS, &stats[0], &size);
        size = sizeof stats[0];
        getsockopt(hold, SOL_PACKET, PACKET_STATISTICS, &stats[1], &size);
        char name[200];
        snprintf(name, sizeof name, "%s.new", report);
        FILE *file = fopen(name, "w");
        if (!file) fail(name);
        fprintf(file, "{\"run\": %ld, \"received\": %ld, \"twice\": %ld, \"corrupt\": %ld, \"unsent\": %ld, \"late\": %ld, \"held\": %ld, \"held_twice\": %ld, "
                "\"held_corrupt\": %ld, \"kept_corrupt\": %ld, \"pages_corrupt\": %ld, \"dropped_by_sockets\": %u}\n",
                run, received, twice, corrupt, unsent, late, held, held_twice, held_corrupt, kept_corrupt, pages_corrupt,
                stats[0].tp_drops + stats[1].tp_drops);
        fclose(file);
        rename(name, report);
    }
}

// The correspondent.

static int descriptor;
static uint8_t guest_mac[6];
static FILE *log_file;
static volatile int ends;

static void read_mac(const char *mac) {
    unsigned parts[6];
    if (sscanf(mac, "%x:%x:%x:%x:%x:%x", parts, parts + 1, parts + 2, parts + 3, parts + 4, parts + 5) != 6) exit(2);
    for (int place = 0; place < 6; place++) guest_mac[place] = parts[place];
}

static void *receive(void *unused) {
    (void)unused;
    static uint8_t bytes[LONGEST + 100];
    char control[256];
    while (!ends) {
        struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
        if (poll(&wanted, 1, 100) <= 0) continue;
        struct iovec piece = {bytes, sizeof bytes};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        long length = recvmsg(descriptor, &message, MSG_DONTWAIT);
        if (length < 14 || memcmp(bytes + 6, guest_mac, 6) != 0) continue;
        uint64_t time = now();
        for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
            if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
            time = stamp.tv_sec * 1000000000ull + stamp.tv_nsec;
        }
        Label label;
        int type = bytes[12] << 8 | bytes[13];
        if (type != ECHO) fprintf(log_file, "other %04x %llu\n", type, (unsigned long long)time);
        else if (!check(bytes, length, ECHO, &label)) fprintf(log_file, "corrupt %llu\n", (unsigned long long)time);
        else fprintf(log_file, "answer %u %llu %llu\n", label.run, (unsigned long long)label.number, (unsigned long long)time);
    }
    return NULL;
}

static void peer(const char *interface, const char *mac, int run, double echoes, double holds, int longest, const char *name) {
    descriptor = open_socket(interface, ETH_P_ALL);
    read_mac(mac);
    log_file = fopen(name, "w");
    if (!log_file) fail(name);
    pthread_t thread;
    pthread_create(&thread, NULL, receive, NULL);
    static uint8_t bytes[LONGEST];
    static const uint8_t own[6] = {0x52, 0x54, 0, 0, 0, 0x77};
    memcpy(bytes, guest_mac, 6);
    memcpy(bytes + 6, own, 6);
    uint64_t start = now(), numbers[2] = {0, 0}, refused = 0;
    double rates[2] = {echoes, holds};
    for (;;) {
        // The next frame of the two streams.
        uint64_t due = UINT64_MAX;
        int stream = 0;
        for (int index = 0; index < 2; index++) {
            uint64_t at = rates[index] > 0 ? start + (uint64_t)(numbers[index] * 1e9 / rates[index]) : UINT64_MAX;
            if (at < due) { due = at; stream = index; }
        }
        uint64_t time = now();
        int wait = due > time ? (due - time) / 1000000 : 0;
        struct pollfd wanted = {.fd = 0, .events = POLLIN};
        if (poll(&wanted, 1, wait) > 0) break;
        if (due > now()) { usleep((due - now()) / 1000 % 1000); continue; }
        int type = stream == 0 ? ECHO : HOLD;
        uint64_t number = numbers[stream]++;
        int length = stream == 0 ? 60 + (int)(mix(number) % (uint64_t)(longest - 59)) : longest;
        fill(bytes, (Label){run, length, number}, type);
        if (send(descriptor, bytes, length, 0) < 0) { refused++; fprintf(log_file, "refused %d %llu\n", errno, (unsigned long long)number); }
        if (stream == 0) fprintf(log_file, "sent %llu %llu\n", (unsigned long long)number, (unsigned long long)now());
    }
    usleep(500000);
    ends = 1;
    pthread_join(thread, NULL);
    fprintf(log_file, "total %llu %llu %llu\n", (unsigned long long)numbers[0], (unsigned long long)numbers[1], (unsigned long long)refused);
    fclose(log_file);
}

// The frames on their way are as many as `window`, so that the rate is what the guest manages. Those to which no answer comes for a while, as when the guest
// stands still, are taken for lost.
static void load(const char *interface, const char *mac, int run, uint64_t window, int longest) {
    enum { UNSENT, UNDER_WAY, LOST, ANSWERED };
    const uint64_t holds = 4000, wait = 200000000, tell = 50000000;
    static uint8_t states[NUMBERS], bytes[LONGEST + 100];
    int ended = 0, paused = 0, singles = 0;
    descriptor = open_socket(interface, ETH_P_ALL);
    read_mac(mac);
    uint64_t ended_at = 0, sent = 0, held = 0, under_way = 0, answered = 0, latest = 0, twice = 0, corrupt = 0, announced = 0, heard = now(), told = 0;
    for (;;) {
        for (long length; (length = recv(descriptor, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
            if (length < 14 || memcmp(bytes + 6, guest_mac, 6) != 0) continue;
            Label label;
            if ((bytes[12] << 8 | bytes[13]) != ECHO) { announced++; continue; }
            if (!check(bytes, length, ECHO, &label) || label.run != run || states[label.number] == UNSENT) { corrupt++; continue; }
            uint8_t *state = states + label.number;
            heard = now();
            if (*state == ANSWERED) { twice++; continue; }
            if (*state == UNDER_WAY) under_way--;
            *state = ANSWERED;
            answered++;
            if (label.number > latest) latest = label.number;
        }
        uint64_t time = now();
        int ends = ended && time - heard > wait && time - ended_at > wait;
        if (time - told > tell || ends) {
            printf("{\"sent\": %llu, \"answered\": %llu, \"latest\": %llu, \"twice\": %llu, \"corrupt\": %llu, \"announced\": %llu, \"held\": %llu}\n",
                   (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)latest, (unsigned long long)twice,
                   (unsigned long long)corrupt, (unsigned long long)announced, (unsigned long long)held);
            fflush(stdout);
            told = time;
        }
        if (ends) return;
        if (under_way >= window && time - heard > wait) {
            for (uint64_t number = 0; number < sent; number++) if (states[number] == UNDER_WAY) states[number] = LOST;
            under_way = 0;
            heard = time;
        }
        int sends = !ended && !paused && under_way < window && sent < NUMBERS;
        for (int turn = 0; (sends && turn < 16) || singles > 0; turn++) {
            int holds_now = singles > 0 || (sent % 8 == 7 && held * 8 < sent && held < holds);
            uint64_t number = holds_now ? held : sent;
            // Several senders, so that a guest with several queues gets frames by all of them.
            const uint8_t own[6] = {0x52, 0x54, 0, 0, 1, number & 7};
            memcpy(bytes, guest_mac, 6);
            memcpy(bytes + 6, own, 6);
            int length = singles > 0 ? 60 : holds_now ? longest : 60 + (int)(mix(number) % (uint64_t)(longest - 59));
            fill(bytes, (Label){run, length, number}, holds_now ? HOLD : ECHO);
            if (send(descriptor, bytes, length, 0) < 0) break;
            singles -= singles > 0;
            if (holds_now) { held++; continue; }
            states[number] = UNDER_WAY;
            sent++;
            under_way++;
        }
        struct pollfd wanted[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = ended ? -1 : 0, .events = POLLIN}};
        if (poll(wanted, 2, sends ? 0 : 10) <= 0 || !wanted[1].revents) continue;
        char word = 0;
        if (read(0, &word, 1) <= 0) { ended = 1; ended_at = now(); }
        if (word == 'p' || word == 'r') paused = word == 'p';
        singles += word == 'h';
    }
}

int main(int count, char **words) {
    if (count == 4 && strcmp(words[1], "guest") == 0) guest(words[2], words[3]);
    else if (count == 9 && strcmp(words[1], "peer") == 0) peer(words[2], words[3], atoi(words[4]), atof(words[5]), atof(words[6]), atoi(words[7]), words[8]);
    else if (count == 7 && strcmp(words[1], "load") == 0) load(words[2], words[3], atoi(words[4]), atoi(words[5]), atoi(words[6]));
    else { fputs("see the head of migration-traffic.c\n", stderr); return 2; }
}
