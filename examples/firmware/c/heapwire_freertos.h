/* FreeRTOS reports to heapwire: include this at the end of FreeRTOSConfig.h. heap_1.c to heap_5.c call these
 * macros, up to kernel V11, with the size of the whole block, its header included. */
#ifndef HEAPWIRE_FREERTOS_H
#define HEAPWIRE_FREERTOS_H

#include "heapwire.h"

/* Where this expands, `xWantedSize` is what pvPortMalloc looked for; newer kernels give 0 for `size` when they
 * found none. */
#define traceMALLOC(block, size)                       \
    do {                                               \
        if ((block) != NULL) {                         \
            heapwire_allocated((block), (size));       \
        } else {                                       \
            heapwire_failed(xWantedSize);              \
        }                                              \
    } while (0)

#define traceFREE(block, size) heapwire_freed((block), (size))

#endif
