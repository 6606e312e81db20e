"""Methods that reduce, run along a dimension, sort, count and multiply matrices."""

from trainkit.autograd import inplace
from trainkit.autograd.functions import (
    counting,
    factors,
    linalg,
    ordering,
    reduce,
    scan,
    statistics,
)
from trainkit.autograd.graph import TensorBase

__all__ = ["ReducingMethods"]


class ReducingMethods(TensorBase):
    """Methods that reduce, run along a dimension, sort, count and multiply matrices."""

    __slots__ = ()

    # Reductions

    all = reduce.all
    amax = reduce.amax
    amin = reduce.amin
    aminmax = reduce.aminmax
    any = reduce.any
    argmax = reduce.argmax
    argmin = reduce.argmin
    count_nonzero = reduce.count_nonzero
    dist = reduce.dist
    logsumexp = reduce.logsumexp
    max = reduce.max
    mean = reduce.mean
    min = reduce.min
    nanmean = reduce.nanmean
    nansum = reduce.nansum
    norm = reduce.norm
    prod = reduce.prod
    std = reduce.std
    sum = reduce.sum
    var = reduce.var

    # Along a dimension

    cummax = scan.cummax
    cummin = scan.cummin
    cumprod = scan.cumprod
    cumsum = scan.cumsum
    diff = scan.diff
    logcumsumexp = scan.logcumsumexp
    cumsum_ = inplace.in_place(scan.cumsum)
    cumprod_ = inplace.in_place(scan.cumprod)

    # Sorting and counting

    argsort = ordering.argsort
    kthvalue = ordering.kthvalue
    median = ordering.median
    mode = ordering.mode
    msort = ordering.msort
    nanmedian = ordering.nanmedian
    nanquantile = ordering.nanquantile
    quantile = ordering.quantile
    topk = ordering.topk
    sort = ordering.sort
    bincount = counting.bincount
    histc = counting.histc
    corrcoef = statistics.corrcoef
    cov = statistics.cov
    histogram = statistics.histogram
    unique = counting.unique
    unique_consecutive = counting.unique_consecutive

    # Linear algebra

    addbmm = linalg.addbmm
    addmm = linalg.addmm
    addmv = linalg.addmv
    addr = linalg.addr
    baddbmm = linalg.baddbmm
    bmm = linalg.bmm
    cross = linalg.cross
    dot = linalg.dot
    ger = linalg.ger
    inner = linalg.inner
    kron = linalg.kron
    matmul = linalg.matmul
    matrix_power = linalg.matrix_power
    mm = linalg.mm
    mv = linalg.mv
    outer = linalg.outer
    trace = linalg.trace
    vdot = linalg.vdot
    cholesky = factors.cholesky
    cholesky_inverse = factors.cholesky_inverse
    cholesky_solve = factors.cholesky_solve
    det = factors.det
    inverse = factors.inverse
    logdet = factors.logdet
    matrix_exp = factors.matrix_exp
    pinverse = factors.pinverse
    qr = factors.qr
    slogdet = factors.slogdet
    svd = factors.svd
    addbmm_ = inplace.in_place(linalg.addbmm)
    addmm_ = inplace.in_place(linalg.addmm)
    addmv_ = inplace.in_place(linalg.addmv)
    addr_ = inplace.in_place(linalg.addr)
    baddbmm_ = inplace.in_place(linalg.baddbmm)
