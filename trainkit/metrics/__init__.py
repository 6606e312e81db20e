"""Numbers over many batches: reset, update, compute, attach."""

from trainkit.metrics.accuracy import Accuracy, TopKCategoricalAccuracy
from trainkit.metrics.agreement import CohenKappa, MatthewsCorrCoef
from trainkit.metrics.average import Average, GeometricAverage, VariableAccumulation
from trainkit.metrics.collection import MetricCollection
from trainkit.metrics.confusion import (
    ConfusionMatrix,
    DiceCoefficient,
    IoU,
    JaccardIndex,
    MultiLabelConfusionMatrix,
    cmAccuracy,
    cmPrecision,
    cmRecall,
    mIoU,
)
from trainkit.metrics.curves import ROC_AUC, AveragePrecision, PrecisionRecallCurve, RocCurve
from trainkit.metrics.epoch import EpochMetric, EpochMetricWarning
from trainkit.metrics.fbeta import Fbeta
from trainkit.metrics.image import PSNR, SSIM
from trainkit.metrics.loss import Loss
from trainkit.metrics.metric import Metric
from trainkit.metrics.metrics_lambda import MetricsLambda
from trainkit.metrics.names import get
from trainkit.metrics.precision_recall import Precision, Recall
from trainkit.metrics.regression import (
    CosineSimilarity,
    MeanAbsoluteError,
    MeanPairwiseDistance,
    MeanSquaredError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
)
from trainkit.metrics.report import ClassificationReport
from trainkit.metrics.running import Frequency, RunningAverage
from trainkit.metrics.text import Bleu, Perplexity
from trainkit.metrics.usage import (
    BatchFiltered,
    BatchWise,
    EpochWise,
    MetricUsage,
    RunningBatchWise,
    RunningEpochWise,
    SingleEpochRunningBatchWise,
)

__all__ = [
    "PSNR",
    "ROC_AUC",
    "SSIM",
    "Accuracy",
    "Average",
    "AveragePrecision",
    "BatchFiltered",
    "BatchWise",
    "Bleu",
    "ClassificationReport",
    "CohenKappa",
    "ConfusionMatrix",
    "CosineSimilarity",
    "DiceCoefficient",
    "EpochMetric",
    "EpochMetricWarning",
    "EpochWise",
    "Fbeta",
    "Frequency",
    "GeometricAverage",
    "IoU",
    "JaccardIndex",
    "Loss",
    "MatthewsCorrCoef",
    "MeanAbsoluteError",
    "MeanPairwiseDistance",
    "MeanSquaredError",
    "Metric",
    "MetricCollection",
    "MetricUsage",
    "MetricsLambda",
    "MultiLabelConfusionMatrix",
    "PearsonCorrelation",
    "Perplexity",
    "Precision",
    "PrecisionRecallCurve",
    "R2Score",
    "Recall",
    "RocCurve",
    "RootMeanSquaredError",
    "RunningAverage",
    "RunningBatchWise",
    "RunningEpochWise",
    "SingleEpochRunningBatchWise",
    "TopKCategoricalAccuracy",
    "VariableAccumulation",
    "cmAccuracy",
    "cmPrecision",
    "cmRecall",
    "get",
    "mIoU",
]
