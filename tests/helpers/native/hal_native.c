/* Hardware abstraction for tests on the host: the serial port is a TCP socket on 127.0.0.1.
 *
 * Prints "PORT n" at the start and "BAUD n" whenever the rate changes (the test's line garbles bytes where
 * the rates of both ends differ). Like a real port it has a receive ring that loses bytes while nobody takes
 * them. Ends when its standard input does, so that it never outlives the test.
 */
#define _POSIX_C_SOURCE 200809L

#include "hal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef BOARD_NAME
#define BOARD_NAME "native"
#endif
#define FASTEST 1000000u /* this "board" cannot do 2 Mbaud, so that negotiation has something to find out */

static int listener = -1, peer = -1;
static uint8_t ring[HAL_SERIAL_RING];
static uint32_t ring_head, ring_tail, ring_lost;
static struct timespec start;
static char **arguments;

/* Keeps the arguments for hal_reset; the C library passes them to constructors. */
__attribute__((constructor)) static void keep_arguments(int argc, char **argv) {
    (void)argc;
    arguments = argv;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

void hal_init(void) {
    clock_gettime(CLOCK_MONOTONIC, &start);
    const char *inherited = getenv("NATIVE_PEER"); /* after hal_reset */
    if (inherited) {
        sscanf(inherited, "%d,%d", &listener, &peer);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1))
        die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size)) die("getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void set_nonblocking(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void accept_peer(void) {
    peer = accept(listener, NULL, NULL);
    if (peer < 0) die("accept");
    const int on = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    set_nonblocking(peer);
}

/* The receive interrupt: everything that came goes to the ring, what has no room is lost. */
static void receive_interrupt(void) {
    uint8_t chunk[512];
    ssize_t got;
    while (peer >= 0 && (got = recv(peer, chunk, sizeof chunk, 0)) >= 0) {
        if (got == 0) {
            close(peer);
            peer = -1;
            return;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (ring_head - ring_tail < HAL_SERIAL_RING) {
                ring[ring_head++ % HAL_SERIAL_RING] = chunk[i];
            } else {
                ring_lost++;
            }
        }
    }
}

size_t hal_serial_read(uint8_t *buffer, size_t max) {
    receive_interrupt();
    size_t n = 0;
    while (n < max && ring_tail != ring_head) buffer[n++] = ring[ring_tail++ % HAL_SERIAL_RING];
    return n;
}

uint32_t hal_serial_lost(void) {
    const uint32_t lost = ring_lost;
    ring_lost = 0;
    return lost;
}

static bool written; /* since the last change of the rate */

void hal_serial_write(const uint8_t *buffer, size_t length) {
    written = true;
    while (length && peer >= 0) {
        const ssize_t n = send(peer, buffer, length, MSG_NOSIGNAL);
        if (n > 0) {
            buffer += n;
            length -= (size_t)n;
        } else {
            struct pollfd wait = {.fd = peer, .events = POLLOUT};
            if (poll(&wait, 1, 1000) <= 0 || (wait.revents & (POLLERR | POLLHUP)))
                return; /* nobody listens */
        }
    }
}

/* A test judges each byte by the device's rate at the moment it reads it, so what was written at the old rate
 * gets time to be read, as the hardware waits until everything has left the wire. */
bool hal_serial_set_baud(uint32_t baud) {
    if (baud > FASTEST) return false;
    if (written) poll(NULL, 0, 150);
    written = false;
    printf("BAUD %u\n", (unsigned)baud);
    fflush(stdout);
    return true;
}

void hal_wait(void) {
    struct pollfd sources[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                {.fd = peer >= 0 ? peer : listener, .events = POLLIN}};
    poll(sources, 2, 1);
    char end;
    if (sources[0].revents && read(STDIN_FILENO, &end, 1) <= 0) exit(0);
    if (peer < 0 && sources[1].revents) accept_peer();
}

uint32_t hal_millis(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
}

uint32_t hal_count(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

const char *hal_count_unit(void) {
    return "nanoseconds";
}
uint32_t hal_count_rate(void) {
    return 1000000000u;
}
const char *hal_board(void) {
    return BOARD_NAME;
}
uint32_t hal_stack_used(void) {
    return 1234;
}
uint32_t hal_stack_size(void) {
    return 8192;
}

/* A restart that keeps the connection, as a reset of the chip keeps the cable. */
void hal_reset(void) {
    char fds[32];
    snprintf(fds, sizeof fds, "%d,%d", listener, peer);
    setenv("NATIVE_PEER", fds, 1);
    execv("/proc/self/exe", arguments);
    die("restart");
    abort();
}
