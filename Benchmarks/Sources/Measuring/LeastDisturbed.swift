/// The result of a measurement that is repeated if other programs used the CPUs; the least disturbed measurement counts.
public struct LeastDisturbed<Value> {
    public private(set) var value: Value
    /// The share of the measurement's time in which it was disturbed.
    public private(set) var disturbed: Double
    /// How many times it was repeated.
    public private(set) var repeats = 0
    public static var attempts: Int { 3 }

    /// Measures until a measurement was disturbed for at most the share `most` of its time, but no more than `attempts` times.
    public init<Failure: Error>(most: Double, _ measure: () throws(Failure) -> (value: Value, disturbed: Double)) throws(Failure) {
        (value, disturbed) = try measure()
        while disturbed > most, repeats < Self.attempts - 1 {
            repeats += 1
            let again = try measure()
            if again.disturbed < disturbed { (value, disturbed) = again }
        }
    }
}
