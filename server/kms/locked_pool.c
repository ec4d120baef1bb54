#include "server/kms/locked_pool.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

struct annals_locked_pool {
  uint8_t *mapping; /* with its guards */
  size_t mapping_bytes;
  uint8_t *slots;
  size_t slots_bytes;
  size_t slot_bytes;
  GPtrArray *vacant;
};

static bool lock(struct annals_locked_pool *pool, GError **error) {
  if (mlock(pool->slots, pool->slots_bytes) != 0) {
    int why = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why),
                "%zu KiB of memory for keys cannot be locked: %s; raise RLIMIT_MEMLOCK "
                "(LimitMEMLOCK= of systemd), or grant CAP_IPC_LOCK",
                pool->slots_bytes >> 10, g_strerror(why));
    return false;
  }
  if (madvise(pool->slots, pool->slots_bytes, MADV_DONTDUMP) != 0 ||
      madvise(pool->slots, pool->slots_bytes, MADV_DONTFORK) != 0) {
    int why = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why),
                "memory for keys cannot be left out of core dumps: %s", g_strerror(why));
    return false;
  }
  return true;
}

static bool map(struct annals_locked_pool *pool, GError **error) {
  void *mapping = mmap(NULL, pool->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    int why = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why),
                "%zu KiB of memory for keys are not to be had: %s", pool->mapping_bytes >> 10,
                g_strerror(why));
    return false;
  }
  pool->mapping = mapping;
  pool->slots = pool->mapping + (pool->mapping_bytes - pool->slots_bytes) / 2;
  int done = mprotect(pool->slots, pool->slots_bytes, PROT_READ | PROT_WRITE);
  g_assert(done == 0);
  return true;
}

struct annals_locked_pool *annals_locked_pool_new(size_t slot_bytes, size_t slot_count,
                                                  GError **error) {
  const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  struct annals_locked_pool *pool = g_new0(struct annals_locked_pool, 1);
  pool->slot_bytes = slot_bytes;
  pool->slots_bytes = (slot_bytes * slot_count + page_bytes - 1) / page_bytes * page_bytes;
  pool->mapping_bytes = pool->slots_bytes + 2 * page_bytes;
  pool->vacant = g_ptr_array_sized_new((guint)slot_count);
  if (!map(pool, error) || !lock(pool, error)) {
    annals_locked_pool_free(pool);
    return NULL;
  }
  for (size_t i = slot_count; i > 0; i--) {
    g_ptr_array_add(pool->vacant, pool->slots + (i - 1) * slot_bytes);
  }
  return pool;
}

void annals_locked_pool_free(struct annals_locked_pool *pool) {
  if (pool == NULL) {
    return;
  }
  if (pool->mapping != NULL) {
    OPENSSL_cleanse(pool->slots, pool->slots_bytes);
    munmap(pool->mapping, pool->mapping_bytes);
  }
  g_ptr_array_free(pool->vacant, TRUE);
  g_free(pool);
}

uint8_t *annals_locked_pool_take(struct annals_locked_pool *pool) {
  return pool->vacant->len == 0 ? NULL
                                : g_ptr_array_steal_index_fast(pool->vacant, pool->vacant->len - 1);
}

void annals_locked_pool_give(struct annals_locked_pool *pool, uint8_t *slot) {
  OPENSSL_cleanse(slot, pool->slot_bytes);
  g_ptr_array_add(pool->vacant, slot);
}
