/* A PKCS#11 module that passes every call to the one named by FAKE_REAL, but for what
 * FAKE_MODE spoils. Types are written out: no header of PKCS#11 is needed. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ul;
struct list { unsigned char version[2]; void *f[68]; };
struct attribute { ul type; void *value; ul length; };
struct token_info {
  unsigned char label[32], manufacturer[32], model[16], serial[16];
  ul flags, sessions[4], pin_lengths[2], memory[4];
};

enum { INITIALIZE = 0, TOKEN_INFO = 6, LOGIN = 18, DESTROY = 22, ATTRIBUTE_VALUE = 24,
       SIGN_INIT = 42, SIGN = 43, GENERATE = 59 };

static struct list ours, *real;
static int signatures, context_logins, pad_logins;

static int mode(const char *name) {
  const char *set = getenv("FAKE_MODE");
  return set && strcmp(set, name) == 0;
}

static ul initialize(void *arguments) {
  if (mode("noisy")) {
    printf("\0\0\0\5{\"type\":\"Done\"}"); fflush(stdout);
    fprintf(stderr, "a module that talks\n");
  }
  if (mode("no-init")) return 5;
  if (mode("daemon") && !fork()) execl("/bin/sleep", "sleep", "30", NULL);
  return ((ul (*)(void *))real->f[INITIALIZE])(arguments);
}

static ul token_info(ul slot, struct token_info *info) {
  ul rv = ((ul (*)(ul, void *))real->f[TOKEN_INFO])(slot, info);
  if (rv || !(info->flags & 0x400)) return rv;
  if (mode("pin-locked")) info->flags |= 0x40000;
  if (mode("pin-final")) info->flags |= 0x20000;
  if (mode("pin-pad") || mode("pin-pad-always")) info->flags |= 0x100;
  if (mode("hostile-label")) memcpy(info->label, "\x1b]0;own\x07\xff[/] \xe2\x80\xae", 14);
  if (mode("swapped") && signatures > 1) memcpy(info->serial, "another-token-00", 16);
  if (mode("gone") && signatures > 1) return 0xe0;
  if (mode("hang-list")) pause();
  if (mode("default-pin")) info->flags |= 0x80000;
  if (mode("no-pin")) info->flags &= ~0x8ul;
  if (mode("memory")) info->memory[3] = 4711;
  return 0;
}

static ul login(ul session, ul user, unsigned char *pin, ul length) {
  ul (*next)(ul, ul, const void *, ul) = (void *)real->f[LOGIN];
  if (user == 2) { context_logins++; pad_logins += pin == NULL && length == 0; return 0; }
  if (mode("pin-locked")) return 0xa4;
  if (mode("pin-expired")) return 0xa3;
  if (mode("login-crash")) raise(SIGSEGV);
  if (mode("slow-login")) sleep(2);
  if (mode("pin-pad") || mode("pin-pad-always")) {
    if (pin || length) return 7;
    return next(session, user, "1234", 4);
  }
  return next(session, user, pin, length);
}

static ul attribute_value(ul session, ul object, struct attribute *a, ul count) {
  ul rv = ((ul (*)(ul, ul, void *, ul))real->f[ATTRIBUTE_VALUE])(session, object, a, count);
  for (ul i = 0; i < count; i++) {
    unsigned char *flag = a[i].value;
    if (!flag || a[i].length == (ul)-1) continue;
    if (a[i].type == 0x162 && mode("extractable")) *flag = 1;
    if (a[i].type == 0x103 && mode("insensitive")) *flag = 0;
    if (a[i].type == 0x108 && mode("no-sign")) *flag = 0;
    if (a[i].type == 0x163 && mode("not-local")) *flag = 0;
    if (a[i].type == 0x202 && (mode("always") || mode("pin-pad-always"))) *flag = 1;
    if (a[i].type == 0x181 && mode("bad-point") && a[i].length > 40) flag[40] ^= 1;
  }
  return rv;
}

static ul sign(ul session, void *data, ul length, unsigned char *out, ul *size) {
  if (out) signatures++;
  if (mode("hang")) pause();
  if (mode("crash")) raise(SIGSEGV);
  if (mode("exit")) _exit(3);
  if (mode("device-error")) return 0x30;
  if (mode("slow-sign") && out) usleep(40000);
  if (mode("own-processor") && out) usleep(500);
  if (mode("always") && !context_logins) return 0x101;
  if (mode("pin-pad-always") && !pad_logins) return 0x101;
  ul rv = ((ul (*)(ul, void *, ul, void *, ul *))real->f[SIGN])(session, data, length, out, size);
  if (rv || !out) return rv;
  if (mode("device-error-once") && signatures == 30) return 0x30;
  if (mode("wrong-signature") || (mode("wrong-later") && signatures > 1)) out[*size / 2] ^= 1;
  if (mode("short-signature")) *size -= 1;
  if (mode("zero-signature")) memset(out, 0, *size);
  return rv;
}

static ul generate(ul session, void *mechanism, struct attribute *public, ul publics,
                   struct attribute *private, ul privates, ul *made, ul *secret) {
  ul (*next)(ul, void *, void *, ul, void *, ul, ul *, ul *) = (void *)real->f[GENERATE];
  ul (*destroy)(ul, ul) = (void *)real->f[DESTROY];
  if (mode("no-false"))
    for (ul i = 0; i < privates; i++)
      if (private[i].length == 1 && !*(char *)private[i].value) return 0x13;
  if (mode("hang-generate")) pause();
  if (mode("slow-generate")) sleep(2);
  if (mode("device-memory")) return 0x31;
  ul rv = next(session, mechanism, public, publics, private, privates, made, secret);
  if (!rv && mode("twice"))
    rv = next(session, mechanism, public, publics, private, privates, made, secret);
  if (!rv && mode("half-public")) { destroy(session, *secret); raise(SIGABRT); }
  if (!rv && mode("half-private")) { destroy(session, *made); raise(SIGABRT); }
  if (!rv && mode("crash-generate")) raise(SIGABRT);
  return rv;
}

/* Whoever only looks needs no session: none of what comes after C_GetMechanismInfo. */
static ul trap(void) {
  raise(SIGABRT);
  return 5;
}

ul C_GetFunctionList(struct list **out) {
  void *library = dlopen(getenv("FAKE_REAL"), RTLD_NOW);
  ul (*get)(struct list **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&real)) return 5;
  ours = *real;
  ours.f[INITIALIZE] = initialize;
  ours.f[TOKEN_INFO] = token_info;
  ours.f[LOGIN] = login;
  ours.f[ATTRIBUTE_VALUE] = attribute_value;
  ours.f[SIGN] = sign;
  ours.f[GENERATE] = generate;
  if (mode("look-only"))
    for (int i = 9; i < 68; i++) ours.f[i] = trap;
  *out = &ours;
  return 0;
}
