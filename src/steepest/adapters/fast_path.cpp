// A step like the last one: the same parameters, states and counts, and gradients wherever they lie by now.
//
// Python has looked at all of them once (fast_path.py). Here it is seen, in a microsecond, whether they are what they
// were. If so, the kernel is called; if not, nothing is touched, and Python looks again. No address outlives a call.

#include <sys/types.h>

#include <vector>

#include <c10/core/TensorImpl.h>
#include <c10/core/UndefinedTensorImpl.h>

// From Python's stable interface; its header is not everywhere where a compiler is.
struct _object;
using PyObject = _object;
extern "C" {
PyObject *PyList_GetItem(PyObject *, ssize_t);
PyObject *PyTuple_GetItem(PyObject *, ssize_t);
PyObject *PyDict_GetItemWithError(PyObject *, PyObject *);
ssize_t PyList_Size(PyObject *);
ssize_t PyTuple_Size(PyObject *);
int PyDict_Next(PyObject *, ssize_t *, PyObject **, PyObject **);
int PyDict_SetItem(PyObject *, PyObject *, PyObject *);
void PyErr_Clear();
struct PyThreadState *PyEval_SaveThread();
void PyEval_RestoreThread(PyThreadState *);
}

namespace {

using c10::TensorImpl;
using Kernel = void(long long, void **, const long long *, const double *, long long, int);

constexpr long long LARGE = 131072;  // numbers from which more than one thread is worth its start

}  // namespace

// What Python has found: a group of m parameters, of which n have a gradient; s states each.
struct Repeat {
    PyObject *listed;       // [m] tensors
    PyObject *states;       // [m] the dict of each, where it has a gradient
    PyObject *held;         // [m][s] the tensors in it
    PyObject *names;        // [s] their names
    PyObject *counts;       // [k] the names of the numbers in it: the step, and what the rule carries
    PyObject *like;         // an ordinary tensor of their type
    const ssize_t *places;  // [m] where each stands in the dict of all states; negative for one without gradient
    long long tensors;      // n
    long long offset;       // where a tensor's object keeps the pointer to what it is
};

namespace {

TensorImpl &tensor(PyObject *x, long long offset) {
    return **reinterpret_cast<TensorImpl **>(reinterpret_cast<char *>(x) + offset);
}

// An at::Tensor is one pointer: to read it as that spares the compiler the headers of all operations.
TensorImpl &gradient(const TensorImpl &w) { return **reinterpret_cast<TensorImpl *const *>(&w.grad()); }

bool is_same(const Repeat &r, PyObject *params, PyObject *states, PyObject *now) {
    const ssize_t m = PyTuple_Size(r.listed), s = PyTuple_Size(r.names), k = PyTuple_Size(r.counts);
    if (PyList_Size(params) != m) return false;
    for (ssize_t i = 0; i < m; ++i) {
        PyObject *const p = PyTuple_GetItem(r.listed, i);
        if (PyList_GetItem(params, i) != p) return false;
        if (r.places[i] < 0) continue;
        ssize_t place = r.places[i];
        PyObject *key = nullptr, *state = nullptr, *const tensors = PyTuple_GetItem(r.held, i);
        if (!PyDict_Next(states, &place, &key, &state) || key != p || state != PyTuple_GetItem(r.states, i)) return false;
        for (ssize_t j = 0; j < k; ++j)
            if (PyDict_GetItemWithError(state, PyTuple_GetItem(r.counts, j)) != PyTuple_GetItem(now, j)) return false;
        for (ssize_t j = 0; j < s; ++j)
            if (PyDict_GetItemWithError(state, PyTuple_GetItem(r.names, j)) != PyTuple_GetItem(tensors, j)) return false;
    }
    return true;
}

// Whether x is an ordinary tensor of the right type, whose numbers lie as those of w do, all within the memory it has.
bool lies_like(const TensorImpl &x, const TensorImpl &w, const TensorImpl &ordinary) {
    if (x.key_set() != ordinary.key_set() || x.dtype() != ordinary.dtype() || x.sizes() != w.sizes()) return false;
    if (x.strides() != w.strides() && !(x.is_contiguous() && w.is_contiguous())) return false;
    const c10::Storage &memory = x.unsafe_storage();
    return memory && (x.storage_offset() + x.numel()) * x.itemsize() <= memory.nbytes();
}

// Every weight, its gradient and its states, in turn; none if not the same parameters have a gradient.
std::vector<TensorImpl *> gathered(const Repeat &r) {
    const ssize_t m = PyTuple_Size(r.listed), s = PyTuple_Size(r.names);
    std::vector<TensorImpl *> found;
    found.reserve((2 + s) * r.tensors);
    for (ssize_t i = 0; i < m; ++i) {
        TensorImpl &w = tensor(PyTuple_GetItem(r.listed, i), r.offset), &g = gradient(w);
        if ((r.places[i] >= 0) != (&g != c10::UndefinedTensorImpl::singleton())) return {};
        if (r.places[i] < 0) continue;
        found.insert(found.end(), {&w, &g});
        for (ssize_t j = 0; j < s; ++j)
            found.push_back(&tensor(PyTuple_GetItem(PyTuple_GetItem(r.held, i), j), r.offset));
    }
    return found;
}

// Moves n weights, if a kernel can take them: `found` are each, its gradient and its states. Returns whether it did.
bool move(const std::vector<TensorImpl *> &found, long long n, const TensorImpl &ordinary, const double *c,
          Kernel *kernel, int threads) {
    const long long each = n ? found.size() / n : 0;
    long long total = 0;
    std::vector<void *> addresses(found.size());  // of all w, all g, and each state
    std::vector<long long> sizes(n);
    for (long long k = 0; k < n; ++k) {
        TensorImpl &w = *found[k * each];
        if (!w.is_non_overlapping_and_dense()) return false;
        for (long long j = 0; j < each; ++j) {
            TensorImpl &x = *found[k * each + j];
            if (!lies_like(x, w, ordinary)) return false;
            addresses[j * n + k] = j == 1 ? const_cast<void *>(x.data()) : x.mutable_data();
        }
        total += sizes[k] = w.numel();
    }
    for (long long k = 0; k < n; ++k) found[k * each]->bump_version();  // autograd must see the change
    if (total < LARGE) {
        kernel(n, addresses.data(), sizes.data(), c, 0, 1);
        return true;
    }
    std::vector<c10::Storage> kept;  // others may run meanwhile, and may let go of a tensor, but not of its memory
    kept.reserve(found.size());
    for (const TensorImpl *x : found) kept.push_back(x->unsafe_storage());
    PyThreadState *const thread = PyEval_SaveThread();
    kernel(n, addresses.data(), sizes.data(), c, 0, threads);
    PyEval_RestoreThread(thread);
    return true;
}

void count(const Repeat &r, PyObject *next) {
    const ssize_t m = PyTuple_Size(r.listed), k = PyTuple_Size(r.counts);
    for (ssize_t i = 0; i < m; ++i)
        for (ssize_t j = 0; r.places[i] >= 0 && j < k; ++j)
            PyDict_SetItem(PyTuple_GetItem(r.states, i), PyTuple_GetItem(r.counts, j), PyTuple_GetItem(next, j));
}

}  // namespace

// The numbers of the gradient of p, by the way that a step goes: Python compares them with what it knows.
extern "C" const void *gradient_of(PyObject *p, long long offset) { return gradient(tensor(p, offset)).data(); }

// Where the first n entries of a dict stand, as PyDict_Next counts. Returns how many there were.
extern "C" long long places(PyObject *dict, ssize_t *there, long long n) {
    PyObject *key = nullptr, *value = nullptr;
    long long count = 0;
    for (ssize_t place = there[0] = 0; count < n && PyDict_Next(dict, &place, &key, &value);) there[++count] = place;
    return count;
}

// Moves tensors: `columns` [2 + s][n] are tuples of weights, of gradients, and of each state. Returns whether it did.
extern "C" int run(PyObject *columns, PyObject *like, long long offset, const double *c, Kernel *kernel,
                   int threads) try {
    const ssize_t each = PyTuple_Size(columns), n = PyTuple_Size(PyTuple_GetItem(columns, 0));
    std::vector<TensorImpl *> found;
    for (ssize_t k = 0; k < n; ++k)
        for (ssize_t j = 0; j < each; ++j)
            found.push_back(&tensor(PyTuple_GetItem(PyTuple_GetItem(columns, j), k), offset));
    return move(found, n, tensor(like, offset), c, kernel, threads);
} catch (...) {  // torch has refused an answer: these are no ordinary tensors
    return 0;
}

// Moves a group if it is as it was: `now` are its counts, which become `next`. Returns whether it did.
extern "C" int repeat(const Repeat *r, PyObject *params, PyObject *states, PyObject *now, PyObject *next,
                      const double *c, Kernel *kernel, int threads) try {
    if (!is_same(*r, params, states, now)) {
        PyErr_Clear();
        return 0;
    }
    const std::vector<TensorImpl *> found = gathered(*r);
    if (found.empty() || !move(found, r->tensors, tensor(r->like, r->offset), c, kernel, threads)) return 0;
    count(*r, next);
    return 1;
} catch (...) {
    return 0;
}
