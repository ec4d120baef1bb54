#include "server/rpc/descriptors.h"

#include "proto/service_descriptors.h"
#include "proto/wire.h"

struct view {
  const uint8_t *bytes;
  size_t size;
};

struct file {
  char *name;
  struct view descriptor;
};

struct annals_rpc_descriptors {
  GHashTable *files;    /* by name: struct file */
  GHashTable *symbols;  /* full name: struct file */
  GHashTable *messages; /* a set of full names, owned by symbols */
};

/* Field numbers of google/protobuf/descriptor.proto. */
enum { SET_FILE = 1, NAME = 1, FILE_PACKAGE = 2, FILE_DEPENDENCY = 3 };

/* What a declaration may hold, and where that is. */
struct kind {
  struct {
    uint32_t number;
    const struct kind *kind;
  } children[5];
  bool is_message;
  bool is_enum; /* whose values are named as its siblings */
};

static const struct kind leaf = {0};
static const struct kind enumeration = {.children = {{2, &leaf}}, .is_enum = true};
static const struct kind service = {.children = {{2, &leaf}}};
static const struct kind message = {
    .children = {{2, &leaf}, {3, &message}, {4, &enumeration}, {8, &leaf}},
    .is_message = true,
};
static const struct kind file_kind = {
    .children = {{4, &message}, {5, &enumeration}, {6, &service}},
};

/* Takes the next field of type BYTES. The data is this program's own: it is well-formed. */
static bool next(struct annals_wire_reader *reader, struct annals_wire_field *ret_field) {
  enum annals_wire_result result;
  do {
    result = annals_wire_next(reader, ret_field);
    g_assert(result != ANNALS_WIRE_MALFORMED);
  } while (result == ANNALS_WIRE_FIELD && ret_field->type != ANNALS_WIRE_BYTES);
  return result == ANNALS_WIRE_FIELD;
}

static struct annals_wire_reader reader_of(struct view view) {
  return (struct annals_wire_reader){view.bytes, view.bytes + view.size};
}

/* Memory: g_free() the result, "" where there is no such field. */
static char *text_of(struct view view, uint32_t number) {
  struct annals_wire_reader reader = reader_of(view);
  struct annals_wire_field field;
  while (next(&reader, &field)) {
    if (field.number == number) {
      return g_strndup((const char *)field.bytes, field.size);
    }
  }
  return g_strdup("");
}

static void add_children(struct annals_rpc_descriptors *descriptors, struct file *file,
                         const char *scope, struct view view, const struct kind *kind);

static void add_symbol(struct annals_rpc_descriptors *descriptors, struct file *file,
                       const char *scope, struct view view, const struct kind *kind) {
  g_autofree char *name = text_of(view, NAME);
  char *full_name = *scope != '\0' ? g_strconcat(scope, ".", name, NULL) : g_strdup(name);
  g_hash_table_insert(descriptors->symbols, full_name, file);
  if (kind->is_message) {
    g_hash_table_add(descriptors->messages, full_name);
  }
  add_children(descriptors, file, kind->is_enum ? scope : full_name, view, kind);
}

static void add_children(struct annals_rpc_descriptors *descriptors, struct file *file,
                         const char *scope, struct view view, const struct kind *kind) {
  struct annals_wire_reader reader = reader_of(view);
  struct annals_wire_field field;
  while (next(&reader, &field)) {
    for (size_t i = 0; kind->children[i].kind != NULL; i++) {
      if (kind->children[i].number == field.number) {
        add_symbol(descriptors, file, scope, (struct view){field.bytes, field.size},
                   kind->children[i].kind);
      }
    }
  }
}

static void add_file(struct annals_rpc_descriptors *descriptors, struct view view) {
  g_autofree char *package = text_of(view, FILE_PACKAGE);
  struct file *file = g_new(struct file, 1);
  *file = (struct file){.name = text_of(view, NAME), .descriptor = view};
  g_hash_table_insert(descriptors->files, file->name, file);
  add_children(descriptors, file, package, view, &file_kind);
}

static void file_free(gpointer data) {
  struct file *file = data;
  g_free(file->name);
  g_free(file);
}

struct annals_rpc_descriptors *annals_rpc_descriptors_new(void) {
  struct annals_rpc_descriptors *descriptors = g_new(struct annals_rpc_descriptors, 1);
  struct annals_wire_reader reader =
      reader_of((struct view){annals_service_descriptors, annals_service_descriptors_size});
  struct annals_wire_field field;
  descriptors->files = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, file_free);
  descriptors->symbols = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  descriptors->messages = g_hash_table_new(g_str_hash, g_str_equal);
  while (next(&reader, &field)) {
    g_assert(field.number == SET_FILE);
    add_file(descriptors, (struct view){field.bytes, field.size});
  }
  return descriptors;
}

void annals_rpc_descriptors_free(struct annals_rpc_descriptors *descriptors) {
  g_hash_table_unref(descriptors->messages);
  g_hash_table_unref(descriptors->symbols);
  g_hash_table_unref(descriptors->files);
  g_free(descriptors);
}

const char *annals_rpc_descriptors_file_of(const struct annals_rpc_descriptors *descriptors,
                                           const char *symbol) {
  const struct file *file = g_hash_table_lookup(descriptors->symbols, symbol);
  return file != NULL ? file->name : NULL;
}

bool annals_rpc_descriptors_has_message(const struct annals_rpc_descriptors *descriptors,
                                        const char *name) {
  return g_hash_table_contains(descriptors->messages, name);
}

/* Puts what the files import behind them, until all is there. */
static void add_imports(const struct annals_rpc_descriptors *descriptors, GPtrArray *files) {
  for (guint i = 0; i < files->len; i++) {
    const struct file *file = files->pdata[i];
    struct annals_wire_reader reader = reader_of(file->descriptor);
    struct annals_wire_field field;
    while (next(&reader, &field)) {
      if (field.number == FILE_DEPENDENCY) {
        g_autofree char *name = g_strndup((const char *)field.bytes, field.size);
        struct file *import = g_hash_table_lookup(descriptors->files, name);
        g_assert(import != NULL);
        if (!g_ptr_array_find(files, import, NULL)) {
          g_ptr_array_add(files, import);
        }
      }
    }
  }
}

bool annals_rpc_descriptors_append(const struct annals_rpc_descriptors *descriptors,
                                   const char *file, uint32_t number, struct annals_buffer *out) {
  struct file *first = g_hash_table_lookup(descriptors->files, file);
  if (first == NULL) {
    return false;
  }
  g_autoptr(GPtrArray) files = g_ptr_array_new();
  g_ptr_array_add(files, first);
  add_imports(descriptors, files);
  for (guint i = 0; i < files->len; i++) {
    const struct file *it = files->pdata[i];
    annals_wire_append_bytes(out, number, it->descriptor.bytes, it->descriptor.size);
  }
  return true;
}
