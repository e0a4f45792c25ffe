import { MysqlServer } from '../support/mysql.ts'
import { limiterContract, prefix } from './contract.ts'

limiterContract('MySQL', () => {
  const url = new MysqlServer().makeDatabase(`limits${process.pid}`)
  return {
    place: async () => ({ url: await url, tablePrefix: prefix }),
    clean: async () => {},
  }
})
