/* malloc and its like report to heapwire. Link with
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
 * Sizes are those of the blocks that the allocator made, which it tells of a block at any time. */
#include <stdlib.h>
#include <malloc.h>

#include "heapwire.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

static void *report(void *block, size_t wanted)
{
    if (block != NULL) {
        heapwire_allocated(block, malloc_usable_size(block));
    } else if (wanted > 0) {
        heapwire_failed(wanted);
    }
    return block;
}

void *__wrap_malloc(size_t size)
{
    return report(__real_malloc(size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t wanted = count != 0 && size > SIZE_MAX / count ? SIZE_MAX : count * size;
    return report(__real_calloc(count, size), wanted);
}

void *__wrap_realloc(void *old, size_t size)
{
    if (old == NULL) {
        return __wrap_malloc(size);
    }
    if (size == 0) {
        __wrap_free(old);
        return NULL;
    }
    size_t old_size = malloc_usable_size(old);
    uintptr_t former = (uintptr_t)old;
    void *block = __real_realloc(old, size);
    if (block != NULL) {
        heapwire_reallocated((const void *)former, old_size, block, malloc_usable_size(block));
    } else {
        heapwire_failed(size);
    }
    return block;
}

void __wrap_free(void *block)
{
    if (block != NULL) {
        heapwire_freed(block, malloc_usable_size(block));
        __real_free(block);
    }
}
