#include "storage/rocksdb/backup_files.h"

#include <string.h>

#define META "meta"

enum { HEAD_LINES = 3 };

static int compare_ids(gconstpointer a, gconstpointer b) {
  int64_t left = *(const int64_t *)a;
  int64_t right = *(const int64_t *)b;
  return left < right ? -1 : left > right;
}

GArray *annals_backup_ids(const char *backups) {
  GArray *ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
  g_autofree char *meta = g_build_filename(backups, META, NULL);
  GDir *directory = g_dir_open(meta, 0, NULL);
  const char *name;
  while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
    guint64 id;
    if (g_ascii_string_to_unsigned(name, 10, 1, UINT32_MAX, &id, NULL)) {
      int64_t value = (int64_t)id;
      g_array_append_val(ids, value);
    }
  }
  g_clear_pointer(&directory, g_dir_close);
  g_array_sort(ids, compare_ids);
  return ids;
}

static void clear_file(gpointer data) {
  struct annals_backup_file *file = data;
  g_free(file->path);
  g_free(file->name);
}

/* Gives the name in the database, or NULL for what is no file of a backup. */
static char *name_of(const char *path) {
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  guint count = g_strv_length(parts);
  const char *name = count > 0 ? parts[count - 1] : "";
  if (*name == '\0' || *name == '.') {
    return NULL;
  }
  if (count == 3 && strcmp(parts[0], "private") == 0 && strspn(parts[1], "0123456789") > 0 &&
      parts[1][strspn(parts[1], "0123456789")] == '\0') {
    return g_strdup(name);
  }
  const char *session = strchr(name, '_');
  const char *suffix = strrchr(name, '.');
  if (count == 2 && strcmp(parts[0], "shared_checksum") == 0 && session != NULL && suffix != NULL &&
      session < suffix) {
    return g_strdup_printf("%.*s%s", (int)(session - name), name, suffix);
  }
  return NULL;
}

/* Takes the line of a file. */
static bool take_file(const char *line, GArray *files) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  guint64 checksum;
  if (g_strv_length(words) != 3 || strcmp(words[1], "crc32") != 0 ||
      !g_ascii_string_to_unsigned(words[2], 10, 0, UINT32_MAX, &checksum, NULL)) {
    return false;
  }
  struct annals_backup_file file = {
      .path = g_strdup(words[0]),
      .name = name_of(words[0]),
      .checksum = (uint32_t)checksum,
  };
  g_array_append_val(files, file);
  return file.name != NULL;
}

static bool parse(const char *text, struct annals_backup_files *files) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  guint64 numbers[HEAD_LINES];
  guint count = g_strv_length(lines);
  if (count < HEAD_LINES + 1 || *lines[count - 1] != '\0') {
    return false;
  }
  for (guint i = 0; i < HEAD_LINES; i++) {
    if (!g_ascii_string_to_unsigned(lines[i], 10, 0, G_MAXINT64, &numbers[i], NULL)) {
      return false;
    }
  }
  for (guint i = HEAD_LINES; i < count - 1; i++) {
    if (!take_file(lines[i], files->files)) {
      return false;
    }
  }
  files->time_s = (int64_t)numbers[0];
  return numbers[HEAD_LINES - 1] == files->files->len;
}

bool annals_backup_files_read(const char *backups, int64_t id,
                              struct annals_backup_files *ret_files, char **ret_fault) {
  g_autofree char *path = g_strdup_printf("%s/" META "/%" G_GINT64_FORMAT, backups, id);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  struct annals_backup_files files = {
      .files = g_array_new(FALSE, FALSE, sizeof(struct annals_backup_file)),
  };
  g_array_set_clear_func(files.files, clear_file);
  if (!g_file_get_contents(path, &text, NULL, &error)) {
    *ret_fault = g_strdup(error->message);
  } else if (!parse(text, &files)) {
    *ret_fault = g_strdup("it is not the list of a backup's files");
  } else {
    *ret_files = files;
    return true;
  }
  g_array_unref(files.files);
  return false;
}

void annals_backup_files_clear(struct annals_backup_files *files) {
  g_clear_pointer(&files->files, g_array_unref);
}
