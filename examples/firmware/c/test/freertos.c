/* What a heap of FreeRTOS makes of the macros, with as much of FreeRTOS as they need: one allocation, one free, one
 * failure. Compiled, linked and run; that the hooks were called with the right numbers is checked here. */
#include <stdlib.h>

#include "../heapwire_freertos.h"

static size_t allocated, freed, failed;
static uint64_t arena[8];

void heapwire_allocated(const void *block, size_t size)
{
    allocated += block == arena ? size : 0;
}

void heapwire_freed(const void *block, size_t size)
{
    freed += block == arena ? size : 0;
}

void heapwire_failed(size_t size)
{
    failed += size;
}

static void *pvPortMalloc(size_t xWantedSize)
{
    void *pvReturn = xWantedSize <= sizeof arena ? arena : NULL;
    size_t xAllocatedBlockSize = pvReturn != NULL ? sizeof arena : 0;
    traceMALLOC(pvReturn, xAllocatedBlockSize);
    return pvReturn;
}

static void vPortFree(void *pv)
{
    traceFREE(pv, sizeof arena);
}

int main(void)
{
    void *block = pvPortMalloc(40);
    void *none = pvPortMalloc(4000);
    vPortFree(block);
    return !(block == arena && none == NULL && allocated == 64 && freed == 64 && failed == 4000);
}
