// Arithmetic for sums of what disks, peers and clients report: any value may come, and none may trap.

extension FixedWidthInteger {
  /// The sum, or the bound of the type that it passes.
  package func saturatingSum(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  /// The product, or the bound of the type that it passes.
  package func saturatingProduct(_ other: Self) -> Self {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
  }
}
