@main struct SluiceGen { static func main() {} }
