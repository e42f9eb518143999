import TestSupport

extension Seeded {
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
    mutating func one<T>(of items: [T]) -> T { items[below(items.count)] }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
