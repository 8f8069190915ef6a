/* The limit: nothing but write() of one buffer to every socket, round after round.
 *
 * usage: fanout_plain SOCKETS BYTES      Prints its port, accepts SOCKETS connections, prints "ready"; then for each
 * line "ROUNDS MICROSECONDS" on standard input writes BYTES to every socket in each round, pausing between rounds,
 * and prints "done". Sockets block: nothing is buffered here.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int sockets = atoi(argv[1]), bytes = atoi(argv[2]), rounds, pause_us, one = 1;
    int *fds = malloc(sizeof(int) * sockets);
    char *frame = malloc(bytes);
    memset(frame, 'x', bytes);
    setvbuf(stdout, NULL, _IOLBF, 0);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));

    for (int i = 0; i < sockets; i++) {
        fds[i] = accept(listener, NULL, NULL);
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    puts("ready");

    while (scanf("%d %d", &rounds, &pause_us) == 2) {
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < sockets; i++)
                if (write(fds[i], frame, bytes) != bytes) return 1;
            usleep(pause_us);
        }
        puts("done");
    }
    return 0;
}
