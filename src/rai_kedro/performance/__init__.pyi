from .classification import iterate_roc as iterate_roc
from .classification import measure_classification as measure_classification
from .face import measure as measure
from .figure import Figure as Figure
from .figure import Performance as Performance
from .regression import PerformanceError as PerformanceError
from .regression import label_estimates as label_estimates
from .regression import measure_performance as measure_performance
