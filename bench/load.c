/* The clients of a benchmark: many WebSockets in one process, read as cheaply as possible, counted and timed.
 *
 * usage: load [-z] PORT SOCKETS [TARGET [CHANNEL...]]
 *
 * Without a TARGET they are plain sockets. With one, each becomes a WebSocket and subscribes every CHANNEL; `name*K`
 * stands for one of K channels, `name-<socket modulo K>`. At most WINDOW handshakes are under way at once. `-z` offers
 * permessage-deflate without context takeover. Prints "ready SECONDS" when all are subscribed, then obeys lines:
 *
 *   until N    answers "FRAMES BYTES", both since the start, as soon as N events have come
 *   rest N     looks at the sockets only every N microseconds: real clients sit on other machines and cost the server's
 *              kernel no wake-up for every frame
 *   latency    answers "COUNT P50 P99 MAX" in microseconds, of the events since the last answer that carry a stamp:
 *              "@" and the nanoseconds of the monotonic clock in their data
 *   ping       sends pusher:ping on every socket: some servers close silent ones
 *
 * A socket that the server closes ends the program: every figure is about all of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 256, SOCKETS_PER_ADDRESS = 10000, SLOTS = 2000000, BUFFER = 1 << 20 };
enum state { CONNECTING, UPGRADING, JOINING, READY };

struct client {
    int fd;
    enum state state;
    int joined;
    size_t kept; /* bytes of a frame that is not complete */
    unsigned char *rest;
};

static const char EVENT[] = "{\"event\":\"bench\"";
static const char JOINED[] = "subscription_succeeded";
static struct client *clients;
static int wanted, started, ready, channels, poll_fd, compressed;
static char **channel, *target;
static struct sockaddr_in server = {.sin_family = AF_INET};
static uint64_t frames, bytes, goal = UINT64_MAX, timed, latest;
static uint32_t *slots; /* microseconds -> events */
static unsigned char buffer[BUFFER];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void die(const char *why) {
    fprintf(stderr, "load: %s (%s)\n", why, strerror(errno));
    exit(1);
}

static void send_all(int fd, const void *data, size_t size) {
    if (write(fd, data, size) != (ssize_t)size) die("a socket does not take what is sent");
}

static void send_frame(int fd, int opcode, const char *payload, size_t size) {
    unsigned char frame[1024] = {0x80 | opcode, 0x80 | size}; /* then four zeros: the mask */
    size_t header = 6;
    if (size > 125) {
        frame[1] = 0x80 | 126, frame[2] = size >> 8, frame[3] = size & 255;
        header = 8;
    }
    memcpy(frame + header, payload, size);
    send_all(fd, frame, header + size);
}

static void start_one(void) {
    int number = started++, one = 1;
    struct client *client = &clients[number];
    struct sockaddr_in own = {.sin_family = AF_INET};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) die("no socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number / SOCKETS_PER_ADDRESS);
    if (bind(client->fd, (struct sockaddr *)&own, sizeof own)) die("bind");
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = number};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, client->fd, &event);
}

static void is_ready(struct client *client) {
    client->state = READY;
    ready++;
    if (started < wanted) start_one();
}

static void connected(struct client *client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) errno = error, die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = client - clients};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, client->fd, &event);
    if (!target) {
        is_ready(client);
        return;
    }
    char request[1024];
    int length = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
        target,
        compressed ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                     "client_no_context_takeover\r\n"
                   : "");
    send_all(client->fd, request, length);
    client->state = UPGRADING;
}

static void subscribe(struct client *client) {
    char name[256], message[512];
    for (int i = 0; i < channels; i++) {
        char *star = strchr(channel[i], '*');
        if (star)
            snprintf(name, sizeof name, "%.*s-%d", (int)(star - channel[i]), channel[i],
                     (int)((client - clients) % atoi(star + 1)));
        else
            snprintf(name, sizeof name, "%s", channel[i]);
        int size = snprintf(message, sizeof message, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", name);
        send_frame(client->fd, 1, message, size);
    }
    client->state = JOINING;
    if (!channels) is_ready(client);
}

static void take_time(const unsigned char *payload, size_t size, uint64_t read_at) {
    const unsigned char *mark = memchr(payload, '@', size < 256 ? size : 256);
    if (!mark) return;
    uint64_t stamp = 0;
    for (mark++; *mark >= '0' && *mark <= '9'; mark++) stamp = stamp * 10 + (*mark - '0');
    if (!stamp) return;
    uint64_t took = (read_at - stamp) / 1000;
    slots[took < SLOTS ? took : SLOTS - 1]++;
    timed++;
    if (took > latest) latest = took;
}

static void on_frame(struct client *client, const unsigned char *head, const unsigned char *payload, size_t size,
                     uint64_t read_at) {
    int opcode = head[0] & 15;
    if (opcode == 9) {
        send_frame(client->fd, 10, (const char *)payload, size);
    } else if (opcode == 8) {
        die("the server closed a socket");
    } else if (client->state == JOINING) {
        if (memmem(payload, size, JOINED, sizeof JOINED - 1) && ++client->joined == channels) is_ready(client);
    } else if (head[0] & 0x40) {
        frames++; /* compressed: nothing but events comes now */
    } else if (size >= sizeof EVENT - 1 && !memcmp(payload, EVENT, sizeof EVENT - 1)) {
        frames++;
        take_time(payload, size, read_at);
    }
}

static size_t take_frames(struct client *client, const unsigned char *data, size_t size, uint64_t read_at) {
    size_t taken = 0;
    while (size - taken >= 2) {
        const unsigned char *head = data + taken;
        size_t header = 2, length = head[1] & 127, left = size - taken;
        if (length == 126) {
            if (left < (header = 4)) break;
            length = head[2] << 8 | head[3];
        } else if (length == 127) {
            if (left < (header = 10)) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | head[i];
        }
        if (left < header + length) break;
        on_frame(client, head, head + header, length, read_at);
        taken += header + length;
    }
    return taken;
}

static void readable(struct client *client) {
    if (client->kept) memcpy(buffer, client->rest, client->kept);
    ssize_t size = read(client->fd, buffer + client->kept, BUFFER - client->kept);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) die("the server closed a socket");
    if (client->state == READY) bytes += size;
    if (!target) return;
    size_t filled = client->kept + size, taken = 0;
    if (client->state == UPGRADING) {
        unsigned char *end = memmem(buffer, filled, "\r\n\r\n", 4);
        if (end) {
            if (memcmp(buffer, "HTTP/1.1 101", 12)) die("the server refused the upgrade");
            taken = end + 4 - buffer;
            subscribe(client);
        }
    }
    if (client->state >= JOINING) taken += take_frames(client, buffer + taken, filled - taken, now());
    size_t kept = filled - taken;
    if (kept) {
        client->rest = realloc(client->rest, kept);
        memcpy(client->rest, buffer + taken, kept);
    } else if (client->kept) {
        free(client->rest);
        client->rest = NULL;
    }
    client->kept = kept;
}

static uint32_t percentile(double share) {
    uint64_t sum = 0, limit = timed * share;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if ((sum += slots[slot]) > limit) return slot;
    return SLOTS;
}

static void obey(const char *line, unsigned *rest) {
    if (!strncmp(line, "until ", 6)) {
        goal = strtoull(line + 6, NULL, 10);
    } else if (!strncmp(line, "rest ", 5)) {
        *rest = atoi(line + 5);
    } else if (!strcmp(line, "latency")) {
        printf("%lu %u %u %lu\n", timed, percentile(0.5), percentile(0.99), latest);
        memset(slots, 0, SLOTS * sizeof *slots);
        timed = latest = 0;
    } else if (!strcmp(line, "ping")) {
        static const char ping[] = "{\"event\":\"pusher:ping\",\"data\":{}}";
        for (int i = 0; i < wanted; i++) send_frame(clients[i].fd, 1, ping, sizeof ping - 1);
    } else {
        die(line);
    }
}

static void commands(unsigned *rest) {
    static char text[4096];
    static size_t size;
    ssize_t more = read(STDIN_FILENO, text + size, sizeof text - 1 - size);
    if (more <= 0) exit(0);
    size += more;
    text[size] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line, rest);
        line = end + 1;
    }
    size = text + size - line;
    memmove(text, line, size);
}

int main(int argc, char **argv) {
    unsigned rest = 0;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "-z")) compressed = 1, argc--, argv++;
    if (argc < 3) return 2;
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wanted = atoi(argv[2]);
    target = argc > 3 ? argv[3] : NULL;
    channels = argc > 4 ? argc - 4 : 0;
    channel = argv + 4;
    clients = calloc(wanted, sizeof *clients);
    slots = calloc(SLOTS, sizeof *slots);
    poll_fd = epoll_create1(0);
    struct epoll_event command = {.events = EPOLLIN, .data.u32 = UINT32_MAX}, events[1024];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &command);

    uint64_t began = now();
    while (started < wanted && started < WINDOW) start_one();
    for (int announced = 0;;) {
        int count = epoll_wait(poll_fd, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 == UINT32_MAX) commands(&rest);
            else if (clients[events[i].data.u32].state == CONNECTING) connected(&clients[events[i].data.u32]);
            else readable(&clients[events[i].data.u32]);
        }
        if (!announced && ready == wanted) announced = printf("ready %.6f\n", (now() - began) / 1e9);
        if ((target ? frames : bytes) >= goal) {
            printf("%lu %lu\n", frames, bytes);
            goal = UINT64_MAX;
        }
        if (rest && announced) usleep(rest);
    }
}
