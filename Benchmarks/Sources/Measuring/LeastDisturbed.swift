/// A figure that is measured again while others had the CPUs, and of which the least disturbed measurement counts.
public struct LeastDisturbed<Value> {
    public private(set) var value: Value
    /// The share of its time in which the machine disturbed it.
    public private(set) var disturbed: Double
    /// How often it was measured besides the first time.
    public private(set) var repeats = 0
    public static var attempts: Int { 3 }

    /// Measures until a measurement was disturbed for at most `most` of its time, `attempts` times at most.
    public init<Failure: Error>(most: Double, _ measure: () throws(Failure) -> (value: Value, disturbed: Double)) throws(Failure) {
        (value, disturbed) = try measure()
        while disturbed > most, repeats < Self.attempts - 1 {
            repeats += 1
            let again = try measure()
            if again.disturbed < disturbed { (value, disturbed) = again }
        }
    }
}
