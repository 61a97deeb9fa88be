/* Loaded before the C library (LD_PRELOAD): counts what this process and its children do to the files below a folder,
   and at the n-th time kills the process that does it, or makes the call fail. SQLite and Python both call the C
   library for these, so nothing that is written escapes. What to do stands in a file that all processes map; see
   shim.py, which must list the same fields. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, REMOVE = 8, MAKE = 16, PROCESS = 32, THREAD = 64 };
enum { COUNT = 0, KILL_BEFORE = 1, KILL_AFTER = 2, FAIL = 3 };

struct control {
    int64_t count, nth, calls, action, error, stays, exempt;
    char root[1024];
};
static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TORTURE_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) control = found;
}

static int is_below(const char *path) {
    size_t length = strlen(control->root);
    return length && path && !strncmp(path, control->root, length) && (path[length] == '/' || !path[length]);
}

static int is_file_below(int file) {
    char link[64], path[1100];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Whether it is this call's turn. */
static int turn(int call) {
    if (!control || !(control->calls & call) || control->exempt == getpid()) return COUNT;
    int64_t now = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    return now == control->nth || (control->stays && control->nth && now > control->nth) ? (int)control->action : COUNT;
}

static int turn_of_file(int call, int file) {
    return control && (control->calls & call) && is_file_below(file) ? turn(call) : COUNT;
}

static int turn_of_path(int call, const char *path) {
    return control && (control->calls & call) && is_below(path) ? turn(call) : COUNT;
}

static void end(void) { kill(getpid(), SIGKILL); }

#define REAL(type, name, ...)                                                                                         \
    static type (*real)(__VA_ARGS__);                                                                                 \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define AROUND(action, call)                                                                                          \
    if (action == KILL_BEFORE) end();                                                                                 \
    if (action == FAIL) return errno = (int)control->error, -1;                                                       \
    int result = call;                                                                                                \
    if (action == KILL_AFTER) end();                                                                                  \
    return result

/* A write that is killed has written a half. One on a full disk writes a half, and the next one fails. */
#define HALF(action, size, whole, half)                                                                               \
    if (action == KILL_BEFORE || action == KILL_AFTER) {                                                              \
        if (action == KILL_BEFORE ? size > 1 : 1) (void)!(action == KILL_BEFORE ? half : whole);                      \
        end();                                                                                                        \
    }                                                                                                                 \
    if (action == FAIL) {                                                                                             \
        if (control->error == ENOSPC && size > 1 && control->count == control->nth) return half;                      \
        return errno = (int)control->error, -1;                                                                       \
    }                                                                                                                 \
    return whole

ssize_t write(int file, const void *from, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    int action = turn_of_file(WRITE, file);
    HALF(action, size, real(file, from, size), real(file, from, size / 2));
}

ssize_t pwrite(int file, const void *from, size_t size, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    int action = turn_of_file(WRITE, file);
    HALF(action, size, real(file, from, size, at), real(file, from, size / 2, at));
}

ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    int action = turn_of_file(WRITE, file);
    HALF(action, size, real(file, from, size, at), real(file, from, size / 2, at));
}

int fsync(int file) {
    REAL(int, fsync, int);
    int action = turn_of_file(SYNC, file);
    AROUND(action, real(file));
}

int fdatasync(int file) {
    REAL(int, fdatasync, int);
    int action = turn_of_file(SYNC, file);
    AROUND(action, real(file));
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    int action = turn_of_path(RENAME, to);
    AROUND(action, real(from, to));
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    int action = turn_of_path(REMOVE, path);
    AROUND(action, real(path));
}

int ftruncate(int file, off_t size) {
    REAL(int, ftruncate, int, off_t);
    int action = turn_of_file(REMOVE, file);
    AROUND(action, real(file, size));
}

int ftruncate64(int file, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    int action = turn_of_file(REMOVE, file);
    AROUND(action, real(file, size));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    int action = turn_of_path(MAKE, path);
    AROUND(action, real(path, mode));
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                      \
        REAL(int, name, const char *, int, ...);                                                                      \
        mode_t mode = 0;                                                                                              \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                          \
            va_list more;                                                                                             \
            va_start(more, flags);                                                                                    \
            mode = va_arg(more, mode_t);                                                                              \
            va_end(more);                                                                                             \
        }                                                                                                             \
        int action = flags & O_CREAT ? turn_of_path(MAKE, path) : COUNT;                                              \
        AROUND(action, real(path, flags, mode));                                                                      \
    }
OPEN(open)
OPEN(open64)

pid_t fork(void) {
    REAL(pid_t, fork, void);
    if (turn(PROCESS) == FAIL) return errno = EAGAIN, -1;
    return real();
}

pid_t vfork(void) { return fork(); } /* a wrapper cannot return twice; what follows is exec, for which fork will do */

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *with) {
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (turn(THREAD) == FAIL) return EAGAIN;
    return real(thread, how, start, with);
}
