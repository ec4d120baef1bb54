#include "server/kms/aws_credential_source.h"

#include <openssl/crypto.h>
#include <string.h>

#include "server/kms/endpoint.h"

enum {
  FILE_LIFE_S = 60,
  RENEW_BEFORE_S = 300, /* as AWS's SDKs do */
  TIMEOUT_S = 5,
  HTTP_OK = 200,
  HTTP_BAD_REQUEST = 400,
  HTTP_TOO_MANY = 429,
  HTTP_SERVER_ERROR = 500,
};

enum kind { NOTHING, ENVIRONMENT, WEB_IDENTITY, CONTAINER, SHARED_FILE };

struct annals_aws_credential_source {
  struct annals_exchanges *exchanges;
  enum kind kind;
  char *url;  /* of STS, or of the container */
  char *path; /* of the web identity's or the container's token, or of the file; NULL: none */
  char *text; /* the role, the container's token, or the profile; NULL: none */
  char *session;

  struct annals_aws_credentials *credentials; /* NULL: none yet */
  int64_t renew_us;                           /* since 1970 */
  GQueue waiting;                             /* requests */

  /* The question under way. */
  struct annals_exchange exchange;
  char *body;
  char *header;
};

/* --- what is configured --- */

/* NULL for one that is empty, too. */
static char *get(const char *(*getenv_of)(const char *name), const char *name) {
  const char *value = getenv_of(name);
  return value != NULL && *value != '\0' ? g_strdup(value) : NULL;
}

/* A token goes there: only to this machine, as AWS's SDKs have it, unless it is over TLS. */
static bool is_container_host(const struct annals_endpoint *endpoint) {
  return endpoint->is_https || endpoint->is_loopback ||
         strcmp(endpoint->host, "169.254.170.2") == 0 ||  /* ECS */
         strcmp(endpoint->host, "169.254.170.23") == 0 || /* EKS */
         strcmp(endpoint->host, "fd00:ec2::23") == 0;
}

static bool read_container(struct annals_aws_credential_source *source,
                           const char *(*getenv_of)(const char *name), GError **error) {
  g_autofree char *relative = get(getenv_of, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  g_autofree char *full = get(getenv_of, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative == NULL && full == NULL) {
    return true;
  }
  source->kind = CONTAINER;
  source->path = get(getenv_of, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  source->text = get(getenv_of, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (relative != NULL) {
    source->url = g_strconcat("http://169.254.170.2", relative, NULL);
    return true;
  }
  source->url = g_steal_pointer(&full);
  struct annals_endpoint endpoint = {0};
  bool ok = annals_endpoint_parse(source->url, &endpoint) && is_container_host(&endpoint);
  g_free(endpoint.host);
  if (!ok) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI %s: an https URL, or one of this machine, is "
                "expected",
                source->url);
  }
  return ok;
}

static bool read_web_identity(struct annals_aws_credential_source *source, const char *region,
                              const char *(*getenv_of)(const char *name)) {
  g_autofree char *path = get(getenv_of, "AWS_WEB_IDENTITY_TOKEN_FILE");
  g_autofree char *role = get(getenv_of, "AWS_ROLE_ARN");
  if (path == NULL || role == NULL) {
    return false;
  }
  char *url = get(getenv_of, "AWS_ENDPOINT_URL_STS");
  char *session = get(getenv_of, "AWS_ROLE_SESSION_NAME");
  source->kind = WEB_IDENTITY;
  source->path = g_steal_pointer(&path);
  source->text = g_steal_pointer(&role);
  source->url = url != NULL ? url : annals_endpoint_of_aws("sts", region);
  source->session = session != NULL ? session : g_strdup("annalsd");
  return true;
}

static bool read_environment(struct annals_aws_credential_source *source,
                             const char *(*getenv_of)(const char *name)) {
  const char *id = getenv_of("AWS_ACCESS_KEY_ID");
  const char *secret = getenv_of("AWS_SECRET_ACCESS_KEY");
  if (id == NULL || *id == '\0' || secret == NULL || *secret == '\0') {
    return false;
  }
  source->kind = ENVIRONMENT;
  source->credentials = annals_aws_credentials_new(id, secret, getenv_of("AWS_SESSION_TOKEN"));
  source->renew_us = INT64_MAX;
  return true;
}

static void read_file(struct annals_aws_credential_source *source,
                      const char *(*getenv_of)(const char *name)) {
  source->path = get(getenv_of, "AWS_SHARED_CREDENTIALS_FILE");
  g_autofree char *home = get(getenv_of, "HOME");
  if (source->path == NULL && home != NULL) {
    source->path = g_build_filename(home, ".aws", "credentials", NULL);
  }
  if (source->path != NULL) {
    source->kind = SHARED_FILE;
    source->text = get(getenv_of, "AWS_PROFILE");
    source->text = source->text != NULL ? source->text : g_strdup("default");
  }
}

struct annals_aws_credential_source *annals_aws_credential_source_new(
    struct annals_exchanges *exchanges, const char *region,
    const char *(*getenv_of)(const char *name), GError **error) {
  struct annals_aws_credential_source *source = g_new0(struct annals_aws_credential_source, 1);
  source->exchanges = exchanges;
  g_queue_init(&source->waiting);
  if (read_environment(source, getenv_of) || read_web_identity(source, region, getenv_of)) {
    return source;
  }
  if (!read_container(source, getenv_of, error)) {
    annals_aws_credential_source_free(source);
    return NULL;
  }
  if (source->kind == NOTHING) {
    read_file(source, getenv_of);
  }
  return source;
}

static void wipe(char *text) {
  if (text != NULL) {
    OPENSSL_cleanse(text, strlen(text));
    g_free(text);
  }
}

void annals_aws_credential_source_free(struct annals_aws_credential_source *source) {
  if (source == NULL) {
    return;
  }
  annals_aws_credentials_free(source->credentials);
  g_free(source->url);
  g_free(source->path);
  wipe(source->text);
  g_free(source->session);
  g_free(source);
}

/* --- answers --- */

static int64_t now_us(void) {
  return g_get_real_time();
}

static void answer(struct annals_aws_credential_source *source, enum annals_key_status status,
                   const char *message) {
  GQueue waiting = source->waiting;
  g_queue_init(&source->waiting);
  for (struct annals_aws_credential_request *request;
       (request = g_queue_pop_head(&waiting)) != NULL;) {
    request->credentials = status == ANNALS_KEY_OK ? source->credentials : NULL;
    request->status = status;
    request->message = message;
    request->on_done(request);
  }
}

/* Those that are there do, until they expire. */
static void fail(struct annals_aws_credential_source *source, enum annals_key_status status,
                 const char *message) {
  if (source->credentials != NULL && now_us() < source->credentials->expires_us &&
      source->renew_us != 0) {
    answer(source, ANNALS_KEY_OK, NULL);
  } else {
    answer(source, status, message);
  }
}

static void take(struct annals_aws_credential_source *source,
                 struct annals_aws_credentials *credentials) {
  annals_aws_credentials_free(source->credentials);
  source->credentials = credentials;
  const int64_t now = now_us();
  const int64_t expires_us = credentials->expires_us;
  if (expires_us == INT64_MAX) {
    source->renew_us = now + FILE_LIFE_S * G_USEC_PER_SEC;
  } else {
    source->renew_us = MAX(expires_us - RENEW_BEFORE_S * G_USEC_PER_SEC, (now + expires_us) / 2);
  }
  answer(source, ANNALS_KEY_OK, NULL);
}

/* --- the file --- */

static void ask_file(struct annals_aws_credential_source *source) {
  g_autoptr(GError) error = NULL;
  char *text = NULL;
  struct annals_aws_credentials *credentials = NULL;
  if (g_file_get_contents(source->path, &text, NULL, &error)) {
    credentials = annals_aws_credentials_of_file(text, source->text, &error);
    wipe(text);
  }
  if (credentials != NULL) {
    take(source, credentials);
    return;
  }
  g_autofree char *message =
      g_strdup_printf("there are no AWS credentials: %s: %s", source->path, error->message);
  fail(source, ANNALS_KEY_ACCESS_DENIED, message);
}

/* --- over HTTP --- */

static void on_answer(struct annals_exchange *exchange) {
  struct annals_aws_credential_source *source = exchange->user;
  const long status = exchange->status;
  wipe(g_steal_pointer(&source->body));
  wipe(g_steal_pointer(&source->header));
  struct annals_aws_credentials *credentials = NULL;
  if (status == HTTP_OK) {
    credentials = source->kind == CONTAINER
                      ? annals_aws_credentials_of_json(exchange->answer, exchange->answer_bytes)
                      : annals_aws_credentials_of_xml(exchange->answer, exchange->answer_bytes);
  }
  if (credentials != NULL) {
    take(source, credentials);
    return;
  }
  g_autofree char *why = status == 0         ? g_strdup(exchange->problem)
                         : status == HTTP_OK ? g_strdup("it gave an answer that makes no sense")
                                             : g_strdup_printf("it answered HTTP %ld", status);
  g_autofree char *message = g_strdup_printf("%s gave no AWS credentials: %s", source->url, why);
  bool is_refusal =
      status >= HTTP_BAD_REQUEST && status < HTTP_SERVER_ERROR && status != HTTP_TOO_MANY;
  fail(source, is_refusal ? ANNALS_KEY_ACCESS_DENIED : ANNALS_KEY_UNAVAILABLE, message);
}

/* Reads the file of a token. NULL: it has failed, and those who wait have been told. */
static char *read_token(struct annals_aws_credential_source *source) {
  g_autoptr(GError) error = NULL;
  char *token = NULL;
  if (g_file_get_contents(source->path, &token, NULL, &error)) {
    g_strstrip(token);
    if (*token != '\0' && strpbrk(token, "\r\n") == NULL) {
      return token;
    }
    wipe(token);
    g_set_error(&error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: one line is expected", source->path);
  }
  g_autofree char *message =
      g_strdup_printf("there is no token to get AWS credentials with: %s", error->message);
  fail(source, ANNALS_KEY_ACCESS_DENIED, message);
  return NULL;
}

static void ask(struct annals_aws_credential_source *source, const char *const *headers) {
  source->exchange = (struct annals_exchange){
      .url = source->url,
      .headers = headers,
      .body = source->body,
      .is_direct = source->kind == CONTAINER,
      .timeout_us = TIMEOUT_S * G_USEC_PER_SEC,
      .on_done = on_answer,
      .user = source,
  };
  annals_exchanges_begin(source->exchanges, &source->exchange);
}

static void ask_container(struct annals_aws_credential_source *source) {
  const char *headers[] = {"Accept: application/json", NULL, NULL};
  char *token = source->path != NULL ? read_token(source) : g_strdup(source->text);
  if (token == NULL && source->path != NULL) {
    return;
  }
  if (token != NULL) {
    source->header = g_strconcat("Authorization: ", token, NULL);
    headers[1] = source->header;
    wipe(token);
  }
  ask(source, headers);
}

static void ask_sts(struct annals_aws_credential_source *source) {
  char *token = read_token(source);
  if (token == NULL) {
    return;
  }
  g_autofree char *role = g_uri_escape_string(source->text, NULL, FALSE);
  g_autofree char *session = g_uri_escape_string(source->session, NULL, FALSE);
  char *escaped = g_uri_escape_string(token, NULL, FALSE);
  wipe(token);
  source->body = g_strdup_printf(
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s&RoleSessionName=%s"
      "&WebIdentityToken=%s",
      role, session, escaped);
  wipe(escaped);
  static const char *const HEADERS[] = {"Accept: application/xml", NULL};
  ask(source, HEADERS);
}

void annals_aws_credential_source_request(struct annals_aws_credential_source *source,
                                          struct annals_aws_credential_request *request) {
  g_queue_push_tail(&source->waiting, request);
  if (source->credentials != NULL && now_us() < source->renew_us) {
    answer(source, ANNALS_KEY_OK, NULL);
  } else if (source->waiting.length > 1) {
    return; /* the question is under way */
  } else if (source->kind == WEB_IDENTITY) {
    ask_sts(source);
  } else if (source->kind == CONTAINER) {
    ask_container(source);
  } else if (source->kind == SHARED_FILE) {
    ask_file(source);
  } else {
    answer(source, ANNALS_KEY_ACCESS_DENIED, "there are no AWS credentials: none are configured");
  }
}

void annals_aws_credential_source_renew(struct annals_aws_credential_source *source) {
  if (source->kind != ENVIRONMENT) {
    source->renew_us = 0;
  }
}
