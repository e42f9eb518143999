/// What is said of an interface that somebody has given another name than its port's settings. Only the operator can say which name is right. Until then the
/// port counts as failed and carries no frames, but everything that belongs to it stays open.
enum Renaming {
    /// - Parameters:
    ///   - name: the interface's name in the settings.
    ///   - now: the name that it has now.
    ///   - words: the key and value that would give the port the new name.
    static func sentence(_ name: String, _ now: String, _ words: String) -> String {
        "its interface \(name) is called \(now) now; rename it back (`ip link set \(now) name \(name)`), or configure `\(words)`"
    }
}
