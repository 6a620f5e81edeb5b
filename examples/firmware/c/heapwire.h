/* heapwire's recorder for programs in C: libheapwire.a, built from this folder, and four functions of yours.
 *
 *     cargo build --release --target thumbv7m-none-eabi
 *
 * Buffers, the number of names and the name of the device are set in src/lib.rs. Names given to these
 * functions are UTF-8 and live forever, as string literals do.
 */
#ifndef HEAPWIRE_H
#define HEAPWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What you define ---- */

/* Microseconds since any moment; never wraps. */
uint64_t heapwire_ticks(void);
/* The number of the running task, or 0 where tasks are not told apart. */
uint32_t heapwire_thread(void);
/* Keeps every caller of the recorder out until heapwire_unlock is given what this returned: disables
 * interrupts, or takes a lock that one thread may take again. */
uint32_t heapwire_lock(void);
void heapwire_unlock(uint32_t state);

/* ---- The heap: called by its wrappers or hooks ---- */

void heapwire_allocated(const void *block, size_t size);
/* Before the block can be handed out again. `size` is what heapwire_allocated was told. */
void heapwire_freed(const void *block, size_t size);
void heapwire_reallocated(const void *old, size_t old_size, const void *block, size_t size);
void heapwire_failed(size_t size);

/* ---- The program ---- */

/* Records from now on. `epoch`: how often the device started before, from memory that survives. */
void heapwire_start(uint32_t epoch);
void heapwire_stop(void);
/* Allocations come from this scope until it is left; scopes nest. Returns what leaving it needs. */
uint32_t heapwire_scope_enter(const char *name);
void heapwire_scope_leave(uint32_t former);
void heapwire_gauge(const char *name, int64_t value);
void heapwire_mark(const char *name);
void heapwire_name_thread(uint32_t thread, const char *name);
/* Count only, and send totals at each flush: for a line too slow for events. */
void heapwire_totals_only(bool totals_only);

/* ---- The line: from one place, an idle task or an interrupt ---- */

/* Writes all of the bytes; false when the line refused them. */
typedef bool (*heapwire_write)(void *context, const uint8_t *bytes, size_t len);

/* Lets a drain send what is recorded so far. */
void heapwire_flush(void);
/* Sends what is ready; false when the line refused: that chunk is lost, and counted. */
bool heapwire_drain(heapwire_write write, void *context);
/* Sends the totals, when no event waits. */
bool heapwire_send_totals(heapwire_write write, void *context);
/* Instead of heapwire_drain, for interrupts and DMA: puts the next bytes for the line to `out` and returns
 * how many; 0 when there is nothing to send. Call again when they are on their way. */
size_t heapwire_fill(uint8_t *out, size_t len);
/* In a fault handler: stops, and sends everything recorded, then the totals. False when the line refused, or
 * the fault struck within a hook. */
bool heapwire_last_words(heapwire_write write, void *context);

#ifdef __cplusplus
}
#endif

#endif
