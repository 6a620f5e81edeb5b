/* A program whose heap goes through heapwire_malloc.c, and which notes each event itself, in heapwire's text form.
 *     workload STREAM NOTES */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "../heapwire.h"

static uint64_t now;
static uint32_t task;
static int locked;
static FILE *stream, *notes;

uint64_t heapwire_ticks(void)
{
    return now;
}

uint32_t heapwire_thread(void)
{
    return task;
}

uint32_t heapwire_lock(void)
{
    return (uint32_t)locked++;
}

void heapwire_unlock(uint32_t state)
{
    locked = (int)state;
}

static bool send(void *context, const uint8_t *bytes, size_t len)
{
    return fwrite(bytes, 1, len, (FILE *)context) == len;
}

static void drain(bool by_interrupt)
{
    uint8_t fifo[16];
    size_t len;
    bool sent = true;
    heapwire_flush();
    if (!by_interrupt) {
        sent = heapwire_drain(send, stream);
    }
    while (sent && by_interrupt && (len = heapwire_fill(fifo, sizeof fifo)) > 0) {
        sent = send(stream, fifo, len);
    }
    if (!sent) {
        perror("the stream");
        exit(1);
    }
}

/* When, and on which task. Not every libc has PRIu64. */
#define AT "%llu %u "
#define MOMENT (unsigned long long)now, (unsigned)task
#define ADDRESS "%lx"

static void *get(size_t size, int site)
{
    void *block = malloc(size);
    fprintf(notes, "a " AT ADDRESS " %zu %d\n", MOMENT, (unsigned long)block, malloc_usable_size(block), site);
    return block;
}

static void *get_zeroed(size_t count, size_t size, int site)
{
    char *block = calloc(count, size);
    fprintf(notes, "a " AT ADDRESS " %zu %d\n", MOMENT, (unsigned long)block, malloc_usable_size(block), site);
    if (block[count * size - 1] != 0) {
        exit(2);
    }
    return block;
}

static void *grow(void *block, size_t size, int site)
{
    unsigned long old = (unsigned long)block;
    block = realloc(block, size);
    fprintf(notes, "r " AT ADDRESS " " ADDRESS " %zu %d\n", MOMENT, old, (unsigned long)block,
            malloc_usable_size(block), site);
    return block;
}

static void give_back(void *block, int site)
{
    fprintf(notes, "f " AT ADDRESS, MOMENT, (unsigned long)block);
    if (site != 0) {
        fprintf(notes, " %d", site);
    }
    fputc('\n', notes);
    free(block);
}

static void fail(size_t size, int site)
{
    /* Volatile, or the compiler would leave the allocation out. */
    void *volatile block = malloc(size);
    if (block != NULL) {
        exit(3);
    }
    fprintf(notes, "x " AT "%zu %d\n", MOMENT, size, site);
}

static void plant(void *block, const char *scope)
{
    fprintf(notes, "# leak " ADDRESS " %s\n", (unsigned long)block, scope);
}

/* Names are numbered in the order in which the recorder learns them; that of a thread is the first. */
enum { NO_SCOPE, SHELL, RECEIVE, WARM, BLOCKS, BOOTED };

static void work(void)
{
    void *live[40] = {0};
    /* Not a constant, for the compiler would know better. */
    volatile size_t too_much = SIZE_MAX / 2;
    unsigned random = 12345;
    int blocks = 0;

    for (int step = 0; step < 3000; step++) {
        random = random * 1103515245u + 12345u;
        now += random >> 26;
        task = step / 700 % 3;
        unsigned at = random >> 8 & 31;
        uint32_t outer = heapwire_scope_enter("net::receive");
        if (live[at] == NULL) {
            live[at] = step % 2 != 0 ? get(1 + (random >> 16) % 300, RECEIVE) : get_zeroed(3, 1 + at, RECEIVE);
            blocks++;
        } else if (step % 3 == 0) {
            live[at] = grow(live[at], 1 + (random >> 12) % 5000, RECEIVE);
        } else {
            give_back(live[at], RECEIVE);
            live[at] = NULL;
            blocks--;
        }
        uint32_t inner = heapwire_scope_enter("cache::warm");
        if (step % 1000 == 500) {
            plant(get(77, WARM), "cache::warm");
        }
        if (step == 1234) {
            fail(too_much, WARM);
        }
        heapwire_scope_leave(inner);
        heapwire_scope_leave(outer);
        if (step % 100 == 0) {
            heapwire_gauge("blocks", blocks);
            fprintf(notes, "g " AT "%d %d\n", MOMENT, BLOCKS, blocks);
        }
        if (step == 0) {
            heapwire_mark("booted");
            fprintf(notes, "m " AT "%d\n", MOMENT, BOOTED);
        }
        if (step % 50 == 0) {
            drain(step % 500 < 250);
        }
    }
    for (int at = 0; at < 40; at++) {
        if (live[at] != NULL) {
            give_back(live[at], NO_SCOPE);
        }
    }
    free(NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3 || (stream = fopen(argv[1], "wb")) == NULL || (notes = fopen(argv[2], "w")) == NULL) {
        perror("workload STREAM NOTES");
        return 1;
    }
    heapwire_start(7);
    heapwire_name_thread(1, "shell");
    work();
    if (!heapwire_last_words(send, stream) || locked != 0) {
        return 4;
    }
    return fclose(stream) != 0 || fclose(notes) != 0;
}
