#include "server/wiping.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void annals_wiping_start(void) {
}

#else

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The C library's own. */
void __libc_free(void *memory);
void *__libc_realloc(void *memory, size_t size);

static atomic_bool wipes;

void annals_wiping_start(void) {
  atomic_store_explicit(&wipes, true, memory_order_relaxed);
}

void free(void *memory) {
  if (memory != NULL && atomic_load_explicit(&wipes, memory_order_relaxed)) {
    explicit_bzero(memory, malloc_usable_size(memory));
  }
  __libc_free(memory);
}

/* Never in place but where it fits: what is cut off, or left behind, would not be wiped. */
void *realloc(void *memory, size_t size) {
  if (memory == NULL || size == 0 || !atomic_load_explicit(&wipes, memory_order_relaxed)) {
    return __libc_realloc(memory, size);
  }
  const size_t old_size = malloc_usable_size(memory);
  if (size <= old_size && size >= old_size / 2) {
    return memory;
  }
  void *copy = malloc(size);
  if (copy != NULL) {
    memcpy(copy, memory, size < old_size ? size : old_size);
    free(memory);
  }
  return copy;
}

#endif
