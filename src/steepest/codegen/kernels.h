// What every generated program needs: vectors, elementary functions, products of matrices. T is float or double.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__)
#define VECTOR 64
#define HIGH 8  // rows of a tile: as many as leave registers for its columns
#elif defined(__AVX__)
#define VECTOR 32
#define HIGH 4
#else
#define VECTOR 16
#define HIGH 4
#endif
#define WIDE 2  // vectors side by side in a tile
#define DEEP 128  // terms summed up before the next columns: what is read of B stays in the nearest cache

typedef long long integer;

template <typename T> struct Vector {
    static constexpr integer LENGTH = VECTOR / sizeof(T);
    typedef T Type __attribute__((vector_size(VECTOR), aligned(sizeof(T)), may_alias));
};

// ---- elementary functions ------------------------------------------------------------------------------------------

static inline double exp_(double x) { return std::exp(x); }
static inline double tanh_(double x) { return std::tanh(x); }
static inline double erf_(double x) { return std::erf(x); }

// x = n log 2 + r, |r| ≤ ½ log 2; exp r by its Taylor series, 2ⁿ by the exponent's bits. Within 2 units of the last place.
static inline float exp_(float x) {
    const float shifted = x * 1.44269504088896f + 12582912.0f;  // 1.5 · 2²³: the fraction is rounded off
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693145751953125f) - n * 1.42860677e-6f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const int32_t bits = (__builtin_bit_cast(int32_t, shifted) - 0x4b400000 + 127) << 23;
    const float y = p * __builtin_bit_cast(float, bits);
    const float large = x > 88.37f ? __builtin_inff() : y;
    const float result = x < -87.3f ? 0.0f : large;
    return x != x ? x : result;
}

// Near 0 a polynomial in x², fitted to tanh(x) / x on |x| ≤ 0.625; (1 − e⁻²ˣ) / (1 + e⁻²ˣ) beyond.
static inline float tanh_(float x) {
    const float size = __builtin_fabsf(x), e = exp_(-2.0f * size), z = x * x;
    const float far = __builtin_copysignf((1.0f - e) / (1.0f + e), x);
    float q = -0.00570404252f;
    q = q * z + 0.0206378615f;
    q = q * z - 0.0537391565f;
    q = q * z + 0.133314318f;
    q = q * z - 0.333332813f;
    return size < 0.625f ? x + x * z * q : far;
}

// Abramowitz and Stegun (1964), 7.1.26: off by 1.5e-7 at most.
static inline float erf_(float x) {
    const float size = __builtin_fabsf(x), t = 1.0f / (1.0f + 0.3275911f * size);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    return __builtin_copysignf(1.0f - p * t * exp_(-size * size), x);
}

template <typename T> static inline T sigmoid_(T x) { return T(1) / (T(1) + exp_(-x)); }
template <typename T> static inline T sign_(T x) { return T(x > T(0)) - T(x < T(0)); }
// These keep a NaN, as torch does.
template <typename T> static inline T larger(T a, T b) { const T x = a < b ? b : a; return b != b ? b : x; }
template <typename T> static inline T smaller(T a, T b) { const T x = a > b ? b : a; return b != b ? b : x; }

// What an index means that may count from the end.
static inline integer within(integer i, integer length) { return i < 0 ? i + length : i; }

// ---- products of matrices ------------------------------------------------------------------------------------------

// C[ROWS, COLUMNS vectors] = A[ROWS, K] · B[K, …] + start, kept in registers; of the last vector only `last` numbers count.
template <typename T, int ROWS, int COLUMNS>
static inline __attribute__((always_inline)) void tile(
    integer K, const T *A, integer am, integer ak, const T *B, integer bk, T *C, integer cm, const T *start, integer sm,
    integer last) {
    typedef typename Vector<T>::Type V;
    constexpr integer L = Vector<T>::LENGTH;
    V c[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; ++i)
        for (int j = 0; j < COLUMNS; ++j) {
            c[i][j] = V{};
            if (start && (j + 1 < COLUMNS || last == L)) c[i][j] = *(const V *)(start + i * sm + j * L);
            else if (start) std::memcpy(&c[i][j], start + i * sm + j * L, last * sizeof(T));
        }
#pragma GCC unroll 4
    for (integer k = 0; k < K; ++k) {
        V b[COLUMNS];
        for (int j = 0; j < COLUMNS; ++j) b[j] = *(const V *)(B + k * bk + j * L);
        for (int i = 0; i < ROWS; ++i) {
            const T a = A[i * am + k * ak];
            for (int j = 0; j < COLUMNS; ++j) c[i][j] += a * b[j];
        }
    }
    for (int i = 0; i < ROWS; ++i)
        for (int j = 0; j < COLUMNS; ++j)
            if (j + 1 < COLUMNS || last == L) *(V *)(C + i * cm + j * L) = c[i][j];
            else std::memcpy(C + i * cm + j * L, &c[i][j], last * sizeof(T));
}

template <typename T, int COLUMNS>
static inline __attribute__((always_inline)) void column(
    integer M, integer K, const T *A, integer am, integer ak, const T *B, integer bk, T *C, integer cm, const T *start,
    integer sm, integer last) {
    integer m = 0;
#define DOWN(ROWS)                                                                                                     \
    for (; m + ROWS <= M; m += ROWS)                                                                                   \
        tile<T, ROWS, COLUMNS>(K, A + m * am, am, ak, B, bk, C + m * cm, cm, start ? start + m * sm : start, sm, last);
#if HIGH == 8
    DOWN(8)
#endif
    DOWN(4)
    DOWN(2)
    DOWN(1)
#undef DOWN
}

// C[M, N] = A[M, K] · B[K, N] + start[M, N]. Rows of B, C and start are dense; start may be null, or C itself, and a row
// for all has sm = 0. Of B, up to a vector may be read beyond the end of each row, and is of no account.
template <typename T>
static __attribute__((noinline)) void product(
    integer M, integer N, integer K, const T *A, integer am, integer ak, const T *B, integer bk, T *C, integer cm,
    const T *start, integer sm) {
    constexpr integer L = Vector<T>::LENGTH;
    for (integer k = 0; k < K || k == 0; k += DEEP) {
        const integer depth = K - k < DEEP ? K - k : DEEP;
        integer n = 0;
        for (; N - n > L; n += WIDE * L) {
            const integer last = N - n < WIDE * L ? N - n - L : L;
            column<T, WIDE>(M, depth, A + k * ak, am, ak, B + k * bk + n, bk, C + n, cm, start ? start + n : start, sm, last);
        }
        if (n < N)
            column<T, 1>(M, depth, A + k * ak, am, ak, B + k * bk + n, bk, C + n, cm, start ? start + n : start, sm, N - n);
        start = C, sm = cm;
    }
}

// Two vectors taken by turns: the first halves of both, or the second.
template <typename V, int... I> static inline V low(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + I % 2 * int(sizeof...(I)))...);
}
template <typename V, int... I> static inline V high(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + int(sizeof...(I)) / 2 + I % 2 * int(sizeof...(I)))...);
}

// A square as long as a vector, turned: log₂ L times the rows of the upper half are shuffled with those of the lower.
template <typename T> static inline void turn(const T *from, integer ff, T *to, integer ft) {
    typedef typename Vector<T>::Type V;
    constexpr int L = Vector<T>::LENGTH;
    constexpr std::make_integer_sequence<int, L> all{};
    V a[L], b[L];
    for (int i = 0; i < L; ++i) a[i] = *(const V *)(from + i * ff);
    for (int step = 1; step < L; step *= 2) {
        for (int i = 0; i < L / 2; ++i) {
            b[2 * i] = low(a[i], a[i + L / 2], all);
            b[2 * i + 1] = high(a[i], a[i + L / 2], all);
        }
        for (int i = 0; i < L; ++i) a[i] = b[i];
    }
    for (int i = 0; i < L; ++i) *(V *)(to + i * ft) = a[i];
}

// to[K, width] = from[K, N], whatever its strides; what is beyond N is set to 0.
template <typename T>
static __attribute__((noinline)) void pack(
    integer K, integer N, const T *from, integer fk, integer fn, T *to, integer width) {
    constexpr integer L = Vector<T>::LENGTH;
    const integer k0 = fk == 1 ? K / L * L : 0, n0 = N / L * L;  // what squares cover
    for (integer n = 0; n < n0; n += L)
        for (integer k = 0; k < k0; k += L) turn<T>(from + k * fk + n * fn, fn, to + k * width + n, width);
    for (integer k = 0; k < K; ++k)
        for (integer n = k < k0 ? n0 : 0; n < width; ++n) to[k * width + n] = n < N ? from[k * fk + n * fn] : T(0);
}
